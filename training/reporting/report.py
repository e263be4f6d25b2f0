"""The content of a report, as its JSON file has it."""

from typing import Literal

from model.config import Frozen, Task
from training.evaluation.evaluate import Evaluation
from training.metrics.intervals import Interval
from training.metrics.reliability import ReliabilityBin


class LabelFigures(Frozen):
    """Figures of one label with their 95% intervals.

    Attributes:
        support: texts that have it.
        given: texts that get it.
        precision, recall, f1: 0 where undefined; the interval is then 0 to 1.
    """

    label: str
    support: int
    given: int
    precision: float
    precision_interval: Interval
    recall: float
    recall_interval: Interval
    f1: float
    f1_interval: Interval


class Confusion(Frozen):
    """Texts of one label that got another; `share` is that of all texts of the label, 0 to 1."""

    truth: str
    answer: str
    texts: int
    share: float


class Slice(Frozen):
    """Texts of one kind.

    Attributes:
        value: of the property that tells the kind, for example `1 to 8 tokens`.
        accuracy: share of texts with exactly the right label or set of labels.
        interval: its 95% interval, Wilson's.
        differs: the interval leaves out the accuracy of all other texts, and on which side it lies.
    """

    value: str
    texts: int
    accuracy: float
    interval: Interval
    differs: Literal["better", "worse"] | None


class Slices(Frozen):
    """Texts by one property; `about` says of which texts, and what was joined."""

    by: str
    about: str
    slices: tuple[Slice, ...]


class Example(Frozen):
    """A text that was answered wrongly, or whose label is in doubt.

    Attributes:
        row: its place in the file, with the line where the format has lines.
        text: shortened; e-mail addresses and telephone numbers are masked.
        given: labels in the file.
        answer: labels of the checkpoint, or, in doubt, the label that may be missing or wrong.
        given_probability: of the label in the file (of several labels, that what the file says of the label is right).
        answer_probability: of `answer`.
    """

    row: str
    text: str
    given: tuple[str, ...]
    answer: tuple[str, ...]
    given_probability: float
    answer_probability: float


class HeldOut(Frozen):
    """Figures of texts that were not trained on.

    Attributes:
        role: `validation`, `test`, or the name of another file.
        file: its name.
        by_folds: they are the training texts, each judged by a network that had not learned from it.
        evaluation: all figures, as `metrics.json` has them; without the confusion matrix of more labels than shown.
        labels: figures of each label.
        confusions: the commonest, at most `CONFUSIONS`; empty for several labels a text.
        reliability: bins with as many answers each.
        slices: by length, script, language and named columns.
        worst: wrong answers of the highest loss; only of texts that may be looked at.
    """

    role: str
    file: str
    by_folds: bool
    evaluation: Evaluation
    labels: tuple[LabelFigures, ...]
    confusions: tuple[Confusion, ...]
    reliability: tuple[ReliabilityBin, ...]
    slices: tuple[Slices, ...]
    worst: tuple[Example, ...]


class Compared(Frozen):
    """The checkpoint and the baseline on the same texts.

    Attributes:
        accuracy, macro_f1: of the baseline.
        checkpoint_accuracy, checkpoint_macro_f1: of the checkpoint.
        difference: in accuracy, the checkpoint's less the baseline's, -1 to 1.
        interval: its 95% interval, of matched shares.
    """

    role: str
    accuracy: float
    macro_f1: float
    checkpoint_accuracy: float
    checkpoint_macro_f1: float
    difference: float
    interval: Interval


class Baseline(Frozen):
    """Logistic regression over TF-IDF, trained on the spot.

    Attributes:
        rows: training texts that it learned from; all of them, or a sample.
        of: training texts in all.
        choice: its C, picked on the texts that picked the checkpoint's weights.
        seconds: to train it.
        compared: by role.
    """

    rows: int
    of: int
    choice: str
    seconds: float
    compared: tuple[Compared, ...]


class LabelErrors(Frozen):
    """Training texts whose label may be wrong, the most doubtful first; none of them was removed.

    Attributes:
        judged_by: the models, none of which had learned from the text that it judged.
        file: that the rows are of.
        rows: texts judged, of so many training texts.
        expected: wrong labels that confident learning counts among those judged; of several labels a text each one that
            is missing or too many.
        texts: the most doubtful, at most `DOUBTS`.
    """

    judged_by: str
    file: str
    rows: int
    of: int
    expected: int
    texts: tuple[Example, ...]


class Speed(Frozen):
    """Speed and size of the checkpoint.

    Attributes:
        texts: that it was measured with; the held-out ones, over and over.
        texts_per_s: many at once.
        one_text_ms: median for one text at a time, milliseconds.
        device, threads, machine: where it was measured.
        size_bytes: of the folder.
        num_parameters: of the network.
    """

    texts: int
    texts_per_s: float
    one_text_ms: float
    device: str
    threads: int
    machine: str
    size_bytes: int
    num_parameters: int


class Report(Frozen):
    """A report about one checkpoint.

    Attributes:
        name, version: of the checkpoint.
        created: of the report, UTC, ISO 8601.
        command: that made the checkpoint.
        serve: the command that serves it.
        num_labels: labels that it can give.
        trained_on: training texts.
        warnings: those of the run, and about the texts of the report.
        history: readings during training: epoch, loss, validation score.
        metric: name of that score.
        best_epoch: whose weights were kept; None where the networks of folds were averaged.
        held_out: the main file first.
        baseline, label_errors: None where `left_out` says why.
        left_out: by part of the report, why it is not there.
    """

    name: str
    version: str
    task: Task
    created: str
    command: str
    serve: str
    num_labels: int
    trained_on: int
    warnings: tuple[str, ...]
    history: tuple[dict[str, float], ...]
    metric: str
    best_epoch: float | None
    held_out: tuple[HeldOut, ...]
    baseline: Baseline | None
    label_errors: LabelErrors | None
    speed: Speed
    left_out: dict[str, str]

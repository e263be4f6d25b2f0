"""The record of a checkpoint, `metrics.json`: its making and its scores."""

from typing import Any

from model.config import Frozen, Task
from model.profile import Reference
from training.data.corpus import DataFile
from training.evaluation.evaluate import Evaluation


class Calibration(Frozen):
    """The temperature (and thresholds) and what they did on validation, before and after.

    Attributes:
        rows: validation texts that it was fitted on; 0 if they are too few, and it stays at 1.
        apart: whether these had no part in picking the weights.
        chinese_temperature: that of Chinese texts, if they have one of their own.
        chinese_ece, other_ece: of the Chinese validation texts and of the others, after; only then.
        macro_f1_before, macro_f1_after: for multi-label, with thresholds of 1/2 and with those of the checkpoint.
    """

    temperature: float
    ece_before: float
    ece_after: float
    nll_before: float
    nll_after: float
    rows: int | None = None
    apart: bool = False
    macro_f1_before: float | None = None
    macro_f1_after: float | None = None
    chinese_temperature: float | None = None
    chinese_ece: float | None = None
    other_ece: float | None = None


class Effort(Frozen):
    """Time, steps and machine of a training.

    Attributes:
        seconds: in the loop, validation included, over all resumptions.
        tokens_per_s: real tokens trained on a second.
        steps, epochs: done before it stopped.
        best_epoch: where the weights come from.
        device, threads, machine: what it ran on.
        history: the readings of the validation metric.
    """

    seconds: float
    tokens_per_s: float
    steps: int
    epochs: float
    best_epoch: float
    device: str
    threads: int
    machine: str
    history: list[dict[str, float]]


class TeacherRecord(Frozen):
    """A teacher of a student.

    Attributes:
        name: of its folder.
        digest: of its weights and settings.
        scores: by role of held-out texts, in the metric of the run.
    """

    name: str
    digest: str
    scores: dict[str, float]


class MemberRecord(Frozen):
    """One of the checkpoints of whose weights a checkpoint is the mean; `command` made it."""

    name: str
    version: str
    command: str


class StartRecord(Frozen):
    """The layers that a run started from.

    Attributes:
        name, version: of their folder.
        perplexity: of a language model on its validation texts, both directions together; None of a checkpoint.
        command: made them.
        data: the files that they learned from.
        kept: the labels of a checkpoint that are kept; none if its layers alone were taken.
    """

    name: str
    version: str
    perplexity: float | None
    command: str
    data: dict[str, DataFile]
    kept: tuple[str, ...] = ()


class Record(Frozen):
    """The content of a checkpoint's `metrics.json`.

    Attributes:
        created: date and time, UTC, ISO 8601.
        command: trains the same again, given the same files.
        evaluations: scores of the finished checkpoint, loaded from disk, by role.
        training_accuracy: on a sample of the training texts, to set against validation.
        config: every setting of the run, by dotted key.
        code, libraries: versions.
        warnings: what a person should know before trusting a score.
        teachers: whose logits it was trained towards; none if towards labels.
        start: the layers that it began with; None is at random.
        members: the checkpoints of whose weights it is the mean; data, effort and teachers are those of the first.
        reference: what the answers to the validation texts look like; a server compares its traffic with it.
    """

    name: str
    created: str
    task: Task
    recipe: str | None
    command: str
    seed: int
    evaluations: dict[str, Evaluation]
    training_accuracy: float
    calibration: Calibration
    num_parameters: int
    vocab_size: int
    effort: Effort
    data: dict[str, DataFile]
    source: str
    licence: str
    warnings: list[str]
    config: dict[str, Any]
    code: dict[str, str | None]
    libraries: dict[str, str]
    teachers: tuple[TeacherRecord, ...] = ()
    start: StartRecord | None = None
    members: tuple[MemberRecord, ...] = ()
    reference: Reference | None = None

    @property
    def kept_last(self) -> bool:
        """True if validation picked no weights: a checkpoint was continued whose labels are not those of the texts."""
        here = {label for label, count in self.data["train"].labels.items() if count}
        return self.start is not None and bool(self.start.kept) and set(self.start.kept) != here

    def figures(self) -> dict[str, float]:
        """The figures by which runs are compared, by name: scores of each role, size and time in seconds."""
        found = {
            f"final/{role}/{name}": float(getattr(evaluation.scores, name))
            for role, evaluation in self.evaluations.items()
            for name in ("accuracy", "macro_f1", "ece", "nll")
        }
        return found | {
            "final/training/accuracy": self.training_accuracy,
            "final/parameters": float(self.num_parameters),
            "final/seconds": self.effort.seconds,
            "final/tokens_per_s": self.effort.tokens_per_s,
        }

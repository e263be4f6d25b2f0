"""Warnings that a finished model is worse than its score suggests, one sentence each."""

import numpy as np

from training.evaluation.evaluate import Evaluation
from training.fit.progress import History
from training.fit.trainer import LoopConfig

BARELY = 0.01
"""An accuracy this close to the majority's is no better than it."""

COLLAPSED = 0.98
"""Share of answers that are one label, from which on the model may have collapsed."""

MISSED = 5
"""It has only if at least so many texts have another label, and the training texts fare no better."""

WIDE_GAP = 0.10
"""Training accuracy this far above validation is reported."""

MANY_TRUNCATED = 0.10


def result_warnings(
    validation: Evaluation,
    *,
    training_accuracy: float,
    history: History,
    config: LoopConfig,
    moved: bool = True,
    cut: bool = False,
) -> list[str]:
    """Warnings about a run, from its validation scores and its history; empty if there are none.

    Texts that all have the same labels are no test of telling labels apart: the commonest answer is then no measure.

    Args:
        validation: scores of the texts that were held out.
        training_accuracy: of the training texts, 0 to 1.
        history: readings of the run.
        config: of its loop.
        moved: False where the layers are those that the run began with, under a head that was fitted.
        cut: True where the time that it might take allowed fewer passes than the settings say.
    """
    scores = validation.scores
    warnings = []
    if scores.majority < 1 and scores.accuracy <= scores.majority + BARELY:
        warnings.append(
            f"validation accuracy {scores.accuracy:.4f} is no better than always giving the commonest answer "
            f"({scores.majority:.4f})"
        )
    if scores.confusion is not None:
        names = [label.label for label in scores.labels]
        warnings += _collapse(np.array(scores.confusion), names, training_accuracy)
    if training_accuracy - scores.accuracy > WIDE_GAP:
        warnings.append(
            f"training accuracy {training_accuracy:.4f} is far above validation {scores.accuracy:.4f}: "
            + ("more data, more dropout or fewer epochs may help" if moved else "more data may help")
        )
    if history and _best(history) == len(history) - 1 and history[-1]["epoch"] >= config.epochs:
        how = "a larger --budget" if cut else "loop.epochs"
        warnings.append(f"validation was best at the very end: more epochs may help ({how})")
    if validation.truncated > MANY_TRUNCATED * scores.rows:
        warnings.append(
            f"{validation.truncated:,} of {scores.rows:,} validation texts were cut: "
            "a larger tokenizer.max_tokens may help"
        )
    return warnings


def _best(history: History) -> int:
    """Place of the first best reading, whose weights are kept."""
    return max(range(len(history)), key=lambda i: (history[i]["validation"], -i))


def _collapse(
    confusion_CC: np.ndarray[tuple[int, int], np.dtype[np.int64]], labels: list[str], training_accuracy: float
) -> list[str]:
    answers_C, truth_C = confusion_CC.sum(axis=0), confusion_CC.sum(axis=1)
    total, commonest = answers_C.sum(), int(answers_C.argmax())
    others = total - truth_C[commonest]
    # Who is right more often than always giving the commonest label tells texts apart, however seldom.
    learned = training_accuracy > truth_C.max() / total + WIDE_GAP or confusion_CC.trace() > truth_C.max()
    if answers_C[commonest] >= COLLAPSED * total > truth_C[commonest] and others >= MISSED and not learned:
        return [f"{answers_C[commonest] / total:.1%} of the answers are '{labels[commonest]}': the model has collapsed"]
    never = [label for label, answers, truth in zip(labels, answers_C, truth_C, strict=True) if truth and not answers]
    return [f"never answered on validation: {', '.join(map(repr, never[:5]))}"] if never else []

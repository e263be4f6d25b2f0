import numpy as np
import pytest

from training.evaluation.evaluate import Evaluation
from training.evaluation.sanity import result_warnings
from training.fit.trainer import LoopConfig
from training.metrics.decisions import one_hot
from training.metrics.scores import score


def evaluation(truth: list[int], chosen: list[int], *, truncated: int = 0, labels: int = 2) -> Evaluation:
    p_NC = np.where(one_hot(np.array(chosen), labels), 0.9, 0.1 / max(1, labels - 1))
    names = tuple("abc"[:labels])
    scores = score(p_NC, one_hot(np.array(truth), labels), names, task="single_label")
    return Evaluation(scores=scores, truncated=truncated, tokens=10)


def history(*validation: float, epochs: float = 5.0) -> list[dict[str, float]]:
    steps = range(1, len(validation) + 1)
    return [{"epoch": epochs * i / len(validation), "validation": v} for i, v in zip(steps, validation, strict=True)]


def warn(
    validation: Evaluation,
    training_accuracy: float = 0.9,
    readings: tuple[float, ...] = (0.8, 0.7),
    *,
    moved: bool = True,
    cut: bool = False,
) -> list[str]:
    return result_warnings(
        validation,
        training_accuracy=training_accuracy,
        history=history(*readings),
        config=LoopConfig(epochs=5),
        moved=moved,
        cut=cut,
    )


GOOD = evaluation([0] * 10 + [1] * 10, [0] * 9 + [1] * 10 + [0])


def test_a_sound_run_gives_no_warning() -> None:
    assert warn(GOOD) == []


def test_texts_of_one_label_are_not_compared_with_the_commonest_answer() -> None:
    assert warn(evaluation([0] * 6, [0] * 6)) == []


@pytest.mark.parametrize(
    ("warnings", "expected"),
    [
        (warn(evaluation([0, 0, 1, 1], [0, 1, 0, 1])), "no better than always giving the commonest answer (0.5000)"),
        (
            warn(evaluation([0] * 12 + [1] * 8, [0] * 20), training_accuracy=0.6),
            "100.0% of the answers are 'a': the model has collapsed",
        ),
        (
            warn(evaluation([0] * 12 + [1] * 8, [1] * 20), training_accuracy=0.5),
            "100.0% of the answers are 'b': the model has collapsed",
        ),
        (warn(evaluation([0] * 12 + [1] * 8, [0] * 20), training_accuracy=1.0), "never answered on validation: 'b'"),
        (warn(evaluation([0] * 4 + [1] * 2, [0] * 6), training_accuracy=0.6), "never answered on validation: 'b'"),
        (warn(evaluation([0, 0, 0, 1, 1, 1, 2], [0, 0, 0, 1, 1, 1, 0], labels=3)), "never answered on validation: 'c'"),
        (warn(GOOD, training_accuracy=1.0 + 0.001), "far above validation 0.9000"),
        (warn(GOOD, readings=(0.7, 0.8, 0.9)), "more epochs may help"),
        (warn(evaluation([0] * 10 + [1] * 10, [0] * 10 + [1] * 10, truncated=3)), "3 of 20 validation texts were cut"),
    ],
)
def test_each_sign_is_told(warnings: list[str], expected: str) -> None:
    assert any(expected in warning for warning in warnings), warnings


def test_a_plateau_at_the_end_is_no_growth() -> None:
    assert warn(GOOD, readings=(0.7, 0.9, 0.9)) == []


@pytest.mark.parametrize(
    "warnings",
    [
        warn(evaluation([0] * 12 + [1] * 8, [0] * 20), training_accuracy=1.0),
        warn(evaluation([0] * 4 + [1] * 2, [0] * 6), training_accuracy=0.6),
        warn(evaluation([0] * 196 + [1] * 4, [0] * 200), training_accuracy=0.97),
        warn(evaluation([0] * 990 + [1] * 10, [0] * 990 + [1] * 10), training_accuracy=0.99),
        warn(evaluation([0] * 350 + [1] * 14 + [2] * 3, [0] * 359 + [1] * 5 + [0] * 3, labels=3)),
    ],
    ids=["training learned", "few texts", "few others", "as the truth is", "better than the majority"],
)
def test_a_model_is_called_collapsed_only_if_it_is(warnings: list[str]) -> None:
    assert not any("collapsed" in warning for warning in warnings)


def test_advice_is_about_what_the_run_did() -> None:
    assert "more data, more dropout or fewer epochs may help" in warn(GOOD, training_accuracy=1.001)[0]
    assert warn(GOOD, training_accuracy=1.001, moved=False)[0].endswith("0.9000: more data may help")
    assert "(loop.epochs)" in warn(GOOD, readings=(0.7, 0.8, 0.9))[0]
    assert "(a larger --budget)" in warn(GOOD, readings=(0.7, 0.8, 0.9), cut=True)[0]

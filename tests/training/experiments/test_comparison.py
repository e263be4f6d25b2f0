import pytest

from tests.training.artifacts.test_results import RESULTS
from tests.training.evaluation.test_report import evaluation
from training.experiments.comparison import Comparison, Outcome, by_method, write_markdown

SCORES = evaluation().scores


def outcome(method: str, seed: int | None, accuracy: float) -> Outcome:
    return Outcome(
        method=method,
        title=method.title(),
        seed=seed,
        choice=f"C={accuracy}",
        temperature=1.0,
        validation=SCORES,
        test=SCORES.model_copy(update={"accuracy": accuracy}),
        seconds=3.5,
        size_bytes=2_345_678,
        texts_per_s=12345.6,
    )


OUTCOMES = (outcome("linear", None, 0.8), outcome("average", 0, 0.7), outcome("average", 1, 0.75))
COMPARISON = Comparison(**dict(RESULTS), budget_s=60.0, outcomes=OUTCOMES, absent={"fastText": "no package"})


def test_the_table_has_means_and_spreads_and_what_a_reader_must_know() -> None:
    lines = write_markdown(COMPARISON).splitlines()
    assert lines[1] == "| --- |" + " ---: |" * 8 + " --- |"
    assert lines[2:4] == [
        "| Linear | 1 | 75.0 | 80.0 | 73.3 | 35.0 | 0:04 | 2.3 | 12,346 | C=0.8 |",
        "| Average | 2 | 75.0 ± 0.0 | 72.5 ± 3.5 | 73.3 ± 0.0 | 35.0 ± 0.0 | 0:04 | 2.3 | 12,346 | C=0.7 |",
    ]
    assert "budget: about 60 s a fit." in lines[6]
    assert lines[7:9] == ["- fastText did not take part: no package.", "- Mind: some texts are empty."]


def test_without_test_texts_the_figures_are_of_validation() -> None:
    untested = [one.model_copy(update={"test": None}) for one in OUTCOMES]
    (linear, _) = by_method(COMPARISON.model_copy(update={"outcomes": untested}))
    assert linear.accuracy.mean == pytest.approx(SCORES.accuracy)

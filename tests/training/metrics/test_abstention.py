import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.config import PrecisionThreshold
from training.metrics.abstention import Kept, abstention, kept_by, precision_threshold, risks


def test_figures_worked_out_by_hand() -> None:
    # From the surest: right, right, wrong, right.
    found = abstention(np.array([0.6, 0.9, 0.8, 0.7]), np.array([True, True, True, False]))
    assert found.aurc == pytest.approx((0 + 0 + 1 / 3 + 1 / 4) / 4)
    assert (found.coverage_at_1, found.coverage_at_5) == (0.5, 0.5)
    assert found.accuracy_at_90 == 0.75
    assert found.curve[-1] == (1.0, 0.25)
    assert found.curve[9] == (0.5, 0.0)


def test_coverage_follows_the_wanted_error() -> None:
    right_M = np.arange(1000) % 50 != 49  # every fiftieth is wrong: 2% over all, less than 1% before the first
    found = abstention(np.linspace(1, 0.5, 1000), right_M)
    assert (found.coverage_at_1, found.coverage_at_2, found.coverage_at_5) == (0.049, 1.0, 1.0)


def test_no_threshold_parts_equally_sure_answers() -> None:
    found = abstention(np.array([0.9, 0.7, 0.7, 0.7]), np.array([True, True, True, False]))
    assert found.coverage_at_5 == 0.25
    assert found.aurc == pytest.approx((0 + 1 / 6 + 2 / 9 + 1 / 4) / 4)


@pytest.mark.parametrize(("right", "expected"), [(True, (0.0, 1.0, 1.0)), (False, (1.0, 0.0, 0.0))])
def test_all_right_or_all_wrong(right: bool, expected: tuple[float, float, float]) -> None:
    found = abstention(np.array([0.9, 0.6]), np.array([right, right]))
    assert (found.aurc, found.coverage_at_1, found.accuracy_at_90) == expected


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=1, max_size=40), st.randoms())
@settings(max_examples=50, deadline=None)
def test_the_order_of_the_answers_does_not_count(answers: list[tuple[int, bool]], random: object) -> None:
    def of(drawn: list[tuple[int, bool]]) -> np.ndarray:
        sure, right = zip(*drawn, strict=True)
        return risks(np.array(sure) / 5, np.array(right))[0]

    shuffled = answers.copy()
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert of(shuffled) == pytest.approx(of(answers))
    assert of(answers)[-1] == pytest.approx(np.mean([not right for _, right in answers]))


@pytest.mark.parametrize(("num_texts", "precision"), [(51, 0.90), (104, 0.95), (528, 0.99)])
def test_fewest_right_answers_that_show_a_precision(num_texts: int, precision: float) -> None:
    """All of n answers are right by chance in precision^n of cases; 0.05/10 is allowed."""
    confidence_M = np.linspace(0.6, 0.9, num_texts)
    assert precision ** (num_texts - 1) > 0.005 >= precision**num_texts
    assert precision_threshold(confidence_M, np.full(num_texts, True), precision) == (0.6, 1.0)
    assert precision_threshold(confidence_M[1:], np.full(num_texts - 1, True), precision) is None


def test_threshold_lies_between_the_answers_that_it_parts() -> None:
    confidence_M = np.repeat([0.9, 0.75, 0.5], [400, 300, 300])
    right_M = np.concatenate([np.arange(400) % 100 > 0, np.arange(300) % 50 > 0, np.arange(300) % 3 > 0])
    # 99 and 98% of the first two groups are right, 67% of the third; equally sure answers are not parted.
    assert precision_threshold(confidence_M, right_M, 0.9) == (0.625, 0.7)
    assert precision_threshold(confidence_M, right_M, 0.99) is None
    assert precision_threshold(confidence_M, np.full(1000, False), 0.9) is None


def test_thresholds_hold_for_further_texts_in_nineteen_of_twenty_cases() -> None:
    """The probability p of an answer is even from 1/2 to 1 and true: from t up, (1 + t) / 2 of the answers are right.

    The threshold whose share of right answers on the texts at hand is just enough fails in half of the cases.
    """
    rng, failures, naive_failures, coverages = np.random.default_rng(0), 0, 0, []
    for _ in range(300):
        confidence_M = rng.uniform(0.5, 1, size=2000)
        right_M = rng.random(2000) < confidence_M
        found = precision_threshold(confidence_M, right_M, 0.9)
        failures += found is not None and found[0] < 0.8
        coverages.append(0 if found is None else found[1])
        risk_M, _ = risks(confidence_M, right_M)
        enough = np.flatnonzero(risk_M <= 0.1)[-1]
        naive_failures += np.sort(confidence_M)[::-1][enough] < 0.8
    assert failures <= 15
    assert naive_failures > 100
    assert 0.25 < np.mean(coverages) < 0.4  # 0.4 of the texts have a probability of 0.8


def test_answers_that_a_threshold_keeps() -> None:
    confidence_M, right_M = np.array([0.9, 0.8, 0.7, 0.6]), np.array([True, False, True, True])
    found = PrecisionThreshold(precision=0.9, threshold=0.7, coverage=0.5)
    assert kept_by(found, confidence_M, right_M) == Kept(asked=0.9, precision=2 / 3, coverage=0.75)
    for threshold in (None, 0.95):
        none = found.model_copy(update={"threshold": threshold})
        assert kept_by(none, confidence_M, right_M) == Kept(asked=0.9, precision=None, coverage=0.0)

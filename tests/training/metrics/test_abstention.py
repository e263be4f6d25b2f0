import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.metrics.abstention import abstention, risks


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

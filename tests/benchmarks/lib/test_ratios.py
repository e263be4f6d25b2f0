import math

import pytest

from benchmarks.lib.load_generator import percentile
from benchmarks.lib.ratios import Check, Spread, growth


def test_ratios_are_taken_round_by_round() -> None:
    # The second round was half as fast for both.
    assert Spread.of([8.0, 4.0, 9.0], [2.0, 1.0, 3.0]) == Spread(4.0, 3.0, 4.0)


def test_each_round_has_both_figures() -> None:
    with pytest.raises(ValueError, match="shorter"):
        Spread.of([1.0, 2.0], [1.0])


def test_small_ratios_keep_their_digits() -> None:
    assert str(Spread(0.0312, 0.03, 0.04)) == "0.0312 (0.0300 to 0.0400)"


@pytest.mark.parametrize(("median", "holds"), [(1.99, False), (2.0, True), (2.1, True)])
def test_the_middle_round_decides(median: float, holds: bool) -> None:
    check = Check("engine", Spread(median, 0.1, 9.0), floor=2.0)
    assert check.holds is holds
    assert str(check).endswith("holds" if holds else "TOO SLOW")


@pytest.mark.parametrize(
    ("values", "percent", "expected"),
    [([5.0], 99, 5.0), ([3.0, 1.0, 2.0], 50, 2.0), ([float(i) for i in range(1, 101)], 99, 99.0), ([1.0, 2.0], 0, 1.0)],
)
def test_percentiles_are_by_nearest_rank(values: list[float], percent: float, expected: float) -> None:
    assert percentile(values, percent) == expected


def test_nothing_has_no_percentile() -> None:
    assert math.isnan(percentile([], 50))


@pytest.mark.parametrize(
    ("costs", "expected"),
    [([2.0], 0.0), ([4.0, 2.0, 1.0], 0.0), ([4.0, 2.0, 3.0], 0.5), ([1.0, 2.0, 1.0], 1.0), ([2.0, 3.0, 1.0, 1.1], 0.5)],
)
def test_only_a_rise_is_growth(costs: list[float], expected: float) -> None:
    assert growth(costs) == pytest.approx(expected)

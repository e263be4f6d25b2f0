"""The pictures show what the table says."""

from pathlib import Path

import pytest

from tests.training.experiments.test_comparison import outcome
from training.experiments.comparison import Fits
from training.experiments.plots import AXES, MARKERS, draw, draw_plots


def _row(title: str, accuracy: float, seconds: float) -> Fits:
    return Fits([outcome(title, 0, accuracy).model_copy(update={"title": title, "seconds": seconds})])


def test_a_point_a_method_where_it_belongs() -> None:
    figure = draw([_row("one", 0.8, 3.0), _row("two", 0.9, 30.0)], *AXES["accuracy-time"])
    (axes,) = figure.axes
    points = [tuple(float(value[0]) for value in line.get_data()) for line, _, _ in axes.containers]
    assert points == [pytest.approx((3.0, 80.0)), pytest.approx((30.0, 90.0))]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["one", "two"]
    assert axes.get_xlabel() == "training time, s"


def test_one_method_and_more_than_there_are_markers(tmp_path: Path) -> None:
    draw_plots([_row("alone", 0.5, 1.0)], tmp_path)
    assert {path.stem for path in tmp_path.glob("*.png")} == AXES.keys()
    rows = [_row(str(i), 0.5, 1.0) for i in range(len(MARKERS) + 1)]
    assert len(draw(rows, *AXES["accuracy-size"]).axes[0].containers) == len(rows)

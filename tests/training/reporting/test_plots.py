"""Drawings take their colours from the page."""

import re

from training.metrics.reliability import ReliabilityBin
from training.reporting.plots import VARIABLES, learning_curves, reliability_diagram, risk_coverage

HISTORY = [{"epoch": float(e), "loss": 1 / e, "validation": 0.5 + e / 10} for e in (1, 2, 3)]
BINS = [
    ReliabilityBin(answers=5, confidence=0.6, accuracy=0.4, interval=(0.2, 0.7)),
    ReliabilityBin(answers=5, confidence=1.0, accuracy=1.0, interval=(0.6, 1.0)),
]


def test_no_colour_is_fixed_and_text_stays_text() -> None:
    for drawing in (
        learning_curves(HISTORY, "macro_f1", 2.0),
        reliability_diagram(BINS, "0"),
        risk_coverage([(0.5, 0.0), (1.0, 0.1)], "0"),
    ):
        assert not re.search(r"(fill|stroke): *#|rgb|black|white", drawing)
        assert set(re.findall(r"var\(--(\w+)\)", drawing)) <= set(VARIABLES.values())
        assert "<text" in drawing
        assert "xmlns" not in drawing
    assert "validation macro f1" in learning_curves(HISTORY, "macro_f1", 2.0)


def test_the_same_figures_give_the_same_drawing() -> None:
    assert risk_coverage([(1.0, 0.0)], "0") == risk_coverage([(1.0, 0.0)], "0")
    assert risk_coverage([(1.0, 0.0)], "0") != risk_coverage([(1.0, 0.0)], "1")


def test_a_score_that_never_moves_is_drawn_too() -> None:
    flat = [{"epoch": 1.0, "loss": 1.0, "validation": 0.5}] * 2
    assert "<svg" in learning_curves(flat, "accuracy", 1.0)

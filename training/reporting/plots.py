"""Plots of a report as SVG that stands inside the page: text stays text, and colours are those of the page.

Matplotlib writes fixed colours. So each is drawn in a colour that stands for one of the page, and its name is put in
its place afterwards: the same drawing then fits a light and a dark page.
"""

import io
import re
from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from training.metrics.reliability import ReliabilityBin

INK, SOFT, LINE, FIRST, SECOND = "#010101", "#020202", "#030303", "#040404", "#050505"

VARIABLES = {INK: "ink", SOFT: "soft", LINE: "line", FIRST: "first", SECOND: "second"}
"""Names of the page's colours."""

STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "sluice",
    "font.size": 9,
    "text.color": INK,
    "axes.labelcolor": SOFT,
    "axes.edgecolor": LINE,
    "xtick.color": LINE,
    "ytick.color": LINE,
    "xtick.labelcolor": SOFT,
    "ytick.labelcolor": SOFT,
    "grid.color": LINE,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "legend.frameon": False,
}

NO_METADATA = dict.fromkeys(("Creator", "Date", "Format", "Type"))


def learning_curves(history: Sequence[dict[str, float]], metric: str, best_epoch: float | None) -> str:
    """Loss and validation score by epoch, two readings at least; a ring marks where the kept weights come from."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(7.4, 2.6), layout="constrained")
        left, right = figure.subplots(1, 2)
        epochs = [reading["epoch"] for reading in history]
        left.plot(epochs, [reading["loss"] for reading in history], color=SECOND, marker=".", markersize=4)
        left.set_ylabel("training loss")
        scores = [reading["validation"] for reading in history]
        right.plot(epochs, scores, color=FIRST, marker=".", markersize=4)
        if best_epoch is not None:
            kept = dict(zip(epochs, scores, strict=True)).get(best_epoch, max(scores))
            right.plot([best_epoch], [kept], color=FIRST, marker="o", markersize=8, fillstyle="none")
        right.set_ylabel(f"validation {metric.replace('_', ' ')}")
        for axes in (left, right):
            axes.set_xlabel("epoch")
            axes.grid(visible=True, linewidth=0.5)
        return svg_of(figure, "learning")


def reliability_diagram(bins: Sequence[ReliabilityBin], name: str) -> str:
    """Share of right answers by confidence, with intervals, beside the line on which they are equal."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(3.6, 3.2), layout="constrained")
        axes = figure.subplots()
        axes.plot([0, 1], [0, 1], color=SOFT, linewidth=0.8, linestyle="--")
        sure = [found.confidence for found in bins]
        right = [found.accuracy for found in bins]
        errors = [
            [max(0.0, found.accuracy - found.interval[0]) for found in bins],
            [max(0.0, found.interval[1] - found.accuracy) for found in bins],
        ]
        axes.errorbar(sure, right, yerr=errors, color=FIRST, fmt="o-", markersize=4, linewidth=1, elinewidth=0.8)
        low = min([*sure, *(found.interval[0] for found in bins)])
        start = max(0.0, low - 0.05)
        _shares(axes, (start, 1.01), (start, 1.01))
        axes.set_xlabel("confidence")
        axes.set_ylabel("right answers")
        return svg_of(figure, f"reliability-{name}")


def risk_coverage(curve: Sequence[tuple[float, float]], name: str) -> str:
    """Share of wrong answers among the surest ones, by the share that is answered."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(3.6, 3.2), layout="constrained")
        axes = figure.subplots()
        axes.plot(
            [coverage for coverage, _ in curve], [risk for _, risk in curve], color=FIRST, marker=".", clip_on=False
        )
        _shares(axes, (0, 1.01), (0, max(0.02, 1.15 * max(risk for _, risk in curve))))
        axes.set_xlabel("share of texts answered, the surest first")
        axes.set_ylabel("wrong among them")
        return svg_of(figure, f"risk-{name}")


def _shares(axes: Axes, x: tuple[float, float], y: tuple[float, float]) -> None:
    axes.set_xlim(*x)
    axes.set_ylim(*y)
    axes.xaxis.set_major_formatter(_percent)
    axes.yaxis.set_major_formatter(_percent)
    axes.grid(visible=True, linewidth=0.5)


def _percent(value: float, _place: float) -> str:
    return f"{value * 100:.3g}%"


def svg_of(figure: Figure, name: str) -> str:
    """The drawing as an element of HTML; its ids begin with `name`, so that several fit one page."""
    target = io.StringIO()
    figure.savefig(target, format="svg", metadata=NO_METADATA)
    text = target.getvalue()
    text = text[text.index("<svg") :]
    for colour, variable in VARIABLES.items():
        text = text.replace(colour, f"var(--{variable})")
    text = re.sub(r' xmlns(?::\w+)?="[^"]*"', "", text)
    text = re.sub(r'\bid="', f'id="{name}-', text)
    text = re.sub(r'(xlink:href="#|url\(#)', rf"\g<1>{name}-", text)
    text = re.sub(r"font-family: [^;]*;", "font-family: inherit;", text)
    text = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", text, flags=re.DOTALL)
    drawn = '<svg aria-hidden="true" style="stroke-linejoin: round; stroke-linecap: butt" '
    return re.sub(r"\s*\n\s*", " ", text.replace("<svg ", drawn, 1)).strip()

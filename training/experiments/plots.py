"""Plots of accuracy against training time, size and speed."""

import itertools
from collections.abc import Callable, Sequence
from pathlib import Path

from matplotlib.figure import Figure

from training.experiments.comparison import Estimate, Fits, Outcome

AXES: dict[str, tuple[str, Callable[[Outcome], float]]] = {
    "accuracy-time": ("training time, s", lambda fit: fit.seconds),
    "accuracy-size": ("size on disk, MB", lambda fit: fit.size_bytes / 1e6),
    "accuracy-speed": ("answers, texts/s", lambda fit: fit.texts_per_s),
}
"""By file name: what the horizontal axis shows."""

MARKERS = "osD^v<>PX*hp8"
"""There are more methods than colours."""


def draw_plots(rows: Sequence[Fits], folder: Path) -> list[Path]:
    """Writes a PNG for each of `AXES`; returns their paths."""
    paths = []
    for name, (label, cost) in AXES.items():
        path = folder / f"{name}.png"
        draw(rows, label, cost).savefig(path, dpi=150)
        paths.append(path)
    return paths


def draw(rows: Sequence[Fits], label: str, cost: Callable[[Outcome], float]) -> Figure:
    """Plots accuracy with its spread over a logarithmic cost, one point a method."""
    figure = Figure(figsize=(9, 5), layout="constrained")
    axes = figure.subplots()
    axes.set_xscale("log")
    costs = [row.over(cost).mean for row in rows]
    for row, place, marker in zip(rows, costs, itertools.cycle(MARKERS), strict=False):
        accuracy, title = row.accuracy, row.first.title
        axes.errorbar(place, accuracy.mean * 100, yerr=_spread(accuracy), fmt=marker, capsize=3, label=title)
    axes.set_xlim(min(costs) / 2, max(costs) * 2)
    axes.margins(y=0.1)
    figure.legend(loc="outside right upper")
    axes.set_xlabel(label)
    axes.set_ylabel("accuracy, %")
    axes.grid(visible=True, alpha=0.3)
    return figure


def _spread(accuracy: Estimate) -> float:
    return (accuracy.spread or 0.0) * 100

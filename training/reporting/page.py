"""Draws a report as one HTML page that loads nothing."""

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from markupsafe import Markup

from training.artifacts.template import render
from training.evaluation.report import summary
from training.metrics.intervals import Interval
from training.reporting.plots import learning_curves, reliability_diagram, risk_coverage
from training.reporting.report import HeldOut, Report

TEMPLATE = Path(__file__).parent / "page.html.jinja"
STYLE = Path(__file__).parent / "page.css"

MOST_LABELS = 50
"""Labels shown; of more the ones of the lowest F1."""

MOST_DOUBTS = 50


def write_page(report: Report, *, json_name: str) -> str:
    """The page; every text of the data is escaped. `json_name` is the file that has the same as JSON."""
    style = STYLE.read_text(encoding="utf-8")
    return render(
        TEMPLATE,
        report=report,
        main=main_file(report),
        multi_label=report.task == "multi_label",
        parts=_parts(report),
        summaries=[summary(part.evaluation) for part in report.held_out],
        drawings=_drawings(report),
        scales=[_scales(part) for part in report.held_out],
        shows_all=all(part.worst for part in report.held_out),
        most_labels=MOST_LABELS,
        most_doubts=MOST_DOUBTS,
        json_name=json_name,
        style=Markup(style),  # noqa: S704 - our own file
    )


def main_file(report: Report) -> Any:
    """The held-out file whose figures stand at the top: `test` if there is one, else the first."""
    return next((part for part in report.held_out if part.role == "test"), report.held_out[0])


def _parts(report: Report) -> list[tuple[str, str]]:
    parts = [("warnings", "Warnings")] if report.warnings else []
    parts += [("learning", "Learning curves")]
    parts += [(f"held-out-{place}", part.role.capitalize()) for place, part in enumerate(report.held_out, 1)]
    parts += [("baseline", "Logistic regression"), ("label-errors", "Doubtful labels"), ("serve", "Speed and serving")]
    return [*parts, ("made", "How it was made")] if report.command else parts


def _scales(part: HeldOut) -> dict[str, float]:
    """The starts of the scales on which intervals are drawn: a tenth at or below the lowest, at most 0.9."""

    def start(intervals: Iterable[Interval]) -> float:
        return min(0.9, math.floor(10 * min(low for low, _ in intervals)) / 10)

    slices = [each for group in part.slices for each in group.slices]
    return {
        "labels": start(label.f1_interval for label in part.labels),
        "slices": start(each.interval for each in slices),
    }


def _drawings(report: Report) -> dict[str, Any]:
    """The drawings as elements of HTML, of which every text is ours."""
    history = report.history if len(report.history) > 1 else ()
    learning = learning_curves(history, report.metric, report.best_epoch) if history else ""
    reliability = [reliability_diagram(part.reliability, f"{i}") for i, part in enumerate(report.held_out)]
    risk = [
        risk_coverage(part.evaluation.scores.abstention.curve, f"{i}") if part.evaluation.scores.abstention else ""
        for i, part in enumerate(report.held_out)
    ]
    return {
        "learning": Markup(learning),  # noqa: S704 - the metric's name is one of ours
        "reliability": [Markup(drawing) for drawing in reliability],  # noqa: S704 - numbers
        "risk": [Markup(drawing) for drawing in risk],  # noqa: S704 - numbers
    }

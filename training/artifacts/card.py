"""The model card: a checkpoint's `README.md`, written from its record so that the two cannot disagree."""

from pathlib import Path

from training.artifacts.record import Record
from training.artifacts.template import render
from training.evaluation.report import summary

TEMPLATE = Path(__file__).parent / "card.md.jinja"


def write_card(record: Record) -> str:
    """The card as Markdown: the task, scores, data, limits, and how to train the model again."""
    figures = {role: dict(summary(evaluation)) for role, evaluation in record.evaluations.items()}
    roles = [role for role in ("validation", "test") if role in figures]
    further = [role for role in figures if role not in roles]
    return render(TEMPLATE, record=record, figures=figures, roles=roles, further=further)

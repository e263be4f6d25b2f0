"""Prints evaluations for a person to read, on a terminal or in a log."""

from collections.abc import Sequence
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tables.errors import Row
from training.evaluation.evaluate import Evaluation, Mistake
from training.evaluation.neighbours import Neighbour
from training.metrics.abstention import Kept
from training.metrics.scores import Scores

SHORT_TEXT = 160
"""Characters of a text shown in a list of mistakes."""

MAX_CONFUSION = 20
"""A confusion matrix of more labels is not printed."""


MAX_LABELS = 40
"""Of more labels only the `SHOWN_LABELS` of the lowest F1 and as many of the highest are printed."""

SHOWN_LABELS = 10


def make_console(*, stderr: bool = False) -> Console:
    """A terminal gets colour and its own width; a pipe or file gets plain lines that are never wrapped at 80."""
    console = Console(stderr=stderr, highlight=False)
    return console if console.is_terminal else Console(stderr=stderr, highlight=False, width=200, soft_wrap=True)


def print_evaluation(console: Console, evaluation: Evaluation) -> None:
    """Prints the figures of one file."""
    for name, value in summary(evaluation):
        console.print(f"{name:<12} {value}")
    scores = evaluation.scores
    console.print()
    console.print(_label_table(console, scores))
    if (hidden := len(scores.labels) - 2 * SHOWN_LABELS) > 0 and len(scores.labels) > MAX_LABELS:
        said = f"the {SHOWN_LABELS} labels of the lowest F1 and the {SHOWN_LABELS} of the highest; the other {hidden:,}"
        console.print(f"{said} are in `evaluations` of the checkpoint's metrics.json, and in `evaluate --json FILE`")
    if scores.confusion is not None and len(scores.labels) <= MAX_CONFUSION:
        console.print()
        console.print(_confusion_table(console, scores))


def summary(evaluation: Evaluation) -> list[tuple[str, str]]:
    """Name and value of each overall figure, as printed and as in a model card."""
    scores = evaluation.scores
    multi_label = scores.confusion is None
    figures = [
        ("rows", f"{scores.rows:,}"),
        ("accuracy", f"{scores.accuracy:.4f} {_interval(scores.accuracy_interval)}" + " (whole set)" * multi_label),
        ("macro-F1", f"{scores.macro_f1:.4f} {_interval(scores.macro_f1_interval)}"),
        *_calibration(evaluation),
        *_abstention(scores),
        *((f"min. {kept.asked:.0%}", _kept(kept)) for kept in evaluation.kept),
        ("majority", f"{scores.majority:.4f}"),
        ("truncated", f"{evaluation.truncated:,}"),
    ]
    return figures[:3] + [("micro-F1", f"{scores.micro_f1:.4f}")] * multi_label + figures[3:]


def _calibration(evaluation: Evaluation) -> list[tuple[str, str]]:
    scores, before = evaluation.scores, evaluation.uncalibrated
    figures = []
    for name, field in (("ECE", "ece"), ("ECE (mass)", "ece_equal_mass"), ("NLL", "nll"), ("Brier", "brier")):
        if (value := getattr(scores, field)) is not None:
            old = None if before is None else getattr(before, field)
            least = scores.ece_by_chance if field == "ece" else None
            figures.append((name, _beside(value, before=old, by_chance=least)))
    return figures


def _beside(value: float, *, before: float | None, by_chance: float | None) -> str:
    """A figure, and in brackets those to compare it with."""
    others = [] if before is None else [f"{before:.4f} before temperature"]
    others += [] if by_chance is None else [f"{by_chance:.4f} by chance"]
    return f"{value:.4f}" + (f" ({', '.join(others)})" if others else "")


def _abstention(scores: Scores) -> list[tuple[str, str]]:
    if (found := scores.abstention) is None:
        return []
    return [
        ("AURC", f"{found.aurc:.4f}"),
        ("cover at 1%", f"{found.coverage_at_1:.4f}"),
        ("cover at 2%", f"{found.coverage_at_2:.4f}"),
        ("cover at 5%", f"{found.coverage_at_5:.4f}"),
        ("acc. at 90%", f"{found.accuracy_at_90:.4f}"),
    ]


def _kept(kept: Kept) -> str:
    if kept.precision is None:
        return "no answer"
    return f"{kept.precision:.4f} right of {kept.coverage:.4f} answered"


def print_mistakes(console: Console, mistakes: Sequence[Mistake]) -> None:
    """Prints the worst mistakes, their texts shortened."""
    table = _table(console, "row", "loss", "predicted", "true", "text", title="Worst mistakes")
    for mistake in mistakes:
        names = [", ".join(labels) or "(none)" for labels in (mistake.predicted, mistake.truth)]
        table.add_row(_short(mistake.row), f"{mistake.loss:.2f}", *map(Text, names), Text(shorten(mistake.text)))
    console.print(table)


def print_neighbours(
    console: Console, path: Path, mistakes: Sequence[Mistake], found: Sequence[list[Neighbour]]
) -> None:
    """Prints the training texts of the file at `path` that are nearest to each mistake."""
    table = _table(console, "row", "cosine", "true", "text", "found at", title=f"Nearest training texts, of {path}")
    for mistake, neighbours in zip(mistakes, found, strict=True):
        for neighbour in neighbours:
            labels = ", ".join(neighbour.labels) or "(none)"
            text = shorten(neighbour.text)
            table.add_row(
                _short(mistake.row), f"{neighbour.similarity:.3f}", Text(labels), Text(text), f"{neighbour.row}"
            )
    console.print(table)


def shorten(text: str, limit: int = SHORT_TEXT) -> str:
    r"""One line of at most `limit` characters.

    >>> shorten("a  long\ntext", limit=6)
    'a lon…'
    """
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def _label_table(console: Console, scores: Scores) -> Table:
    table = _table(console, "label", "precision", "recall", "F1", "support")
    labels = scores.labels
    if len(labels) > MAX_LABELS:
        by_f1 = sorted((label for label in labels if label.support), key=lambda label: label.f1)
        labels = (*by_f1[:SHOWN_LABELS], *by_f1[-SHOWN_LABELS:])
    for label in labels:
        # of no text nothing can be found
        found = (f"{label.recall:.4f}", f"{label.f1:.4f}") if label.support else ("-", "-")
        table.add_row(Text(label.label), f"{label.precision:.4f}", *found, f"{label.support:,}")
    return table


def _confusion_table(console: Console, scores: Scores) -> Table:
    names = [label.label for label in scores.labels]
    table = _table(console, "true \\ predicted", *names)
    for name, row in zip(names, scores.confusion or (), strict=True):
        table.add_row(Text(name), *(f"{count:,}" for count in row))
    return table


def _table(console: Console, first: str, *others: str, title: str | None = None) -> Table:
    table = Table(
        title=None if title is None else Text(title),
        title_justify="left",
        box=box.SIMPLE_HEAD if console.is_terminal else box.ASCII2,
    )
    table.add_column(Text(first), overflow="fold")
    for name in others:
        wide = name in ("text", "predicted", "true")
        table.add_column(Text(name), justify="left" if wide else "right", overflow="fold")
    return table


def _interval(interval: tuple[float, float]) -> str:
    return f"[95% {interval[0]:.4f} to {interval[1]:.4f}]"


def _short(row: Row) -> str:
    """The number of a row, behind its file where there are several."""
    return str(row.number) if row.path is None else f"{row.path.name} {row.number}"

"""What a comparison found: one outcome a method and seed, and the table of means and spreads."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pydantic import Field
from rich import box
from rich.console import Console
from rich.table import Table

from model.config import Frozen
from training.artifacts.results import Results
from training.fit.progress import format_duration
from training.metrics.scores import Scores


class Outcome(Frozen):
    """One fit of one method.

    Attributes:
        method, title: which.
        seed: None for a method that needs none.
        choice: what was chosen on validation.
        temperature: fitted on validation; all probabilities are after it.
        validation, test: figures; validation chose, so its own are flattered.
        seconds: from the texts to the finished model, choosing included.
        size_bytes: on disk.
        texts_per_s: answered from plain text, in bulk.
    """

    method: str
    title: str
    seed: int | None
    choice: str
    temperature: float
    validation: Scores
    test: Scores | None
    seconds: float
    size_bytes: int
    texts_per_s: float


class Comparison(Results):
    """`comparison.json`.

    Attributes:
        budget_s: of one fit; None is no limit.
        outcomes: method by method.
        absent: methods that could not take part, and why.
    """

    KIND = "comparison"
    FOUND = "outcomes"
    SAME = ("config", "data", "budget_s", "device")

    budget_s: float | None
    outcomes: tuple[Outcome, ...] = ()
    absent: dict[str, str] = Field(default_factory=dict)

    def has(self, method: str, seed: int | None) -> bool:
        """Whether this fit is already there."""
        return any((outcome.method, outcome.seed) == (method, seed) for outcome in self.outcomes)


@dataclass(frozen=True, slots=True)
class Estimate:
    """Mean of some fits, and their standard deviation; None of one."""

    mean: float
    spread: float | None

    def show(self, places: int, scale: float = 1.0) -> str:
        """As in a table.

        >>> Estimate(0.8512, 0.0034).show(1, scale=100), Estimate(0.8512, None).show(1, scale=100)
        ('85.1 ± 0.3', '85.1')
        """
        spread = "" if self.spread is None else f" ± {self.spread * scale:.{places}f}"
        return f"{self.mean * scale:.{places}f}{spread}"


@dataclass(frozen=True, slots=True)
class Row:
    """A method over its seeds. The figures are of the test texts or, where there are none, of validation."""

    title: str
    fits: int
    validation_accuracy: Estimate
    accuracy: Estimate
    macro_f1: Estimate
    ece: Estimate
    seconds: Estimate
    size_bytes: Estimate
    texts_per_s: Estimate
    choice: str


def summarise(comparison: Comparison) -> list[Row]:
    """A row a method, in order of appearance."""
    groups: dict[str, list[Outcome]] = {}
    for outcome in comparison.outcomes:
        groups.setdefault(outcome.method, []).append(outcome)
    return [_row(outcomes) for outcomes in groups.values()]


def _row(outcomes: Sequence[Outcome]) -> Row:
    def over(value: Callable[[Outcome], float]) -> Estimate:
        return estimate([value(outcome) for outcome in outcomes])

    return Row(
        title=outcomes[0].title,
        fits=len(outcomes),
        validation_accuracy=over(lambda o: o.validation.accuracy),
        accuracy=over(lambda o: (o.test or o.validation).accuracy),
        macro_f1=over(lambda o: (o.test or o.validation).macro_f1),
        ece=over(lambda o: (o.test or o.validation).ece),
        seconds=over(lambda o: o.seconds),
        size_bytes=over(lambda o: o.size_bytes),
        texts_per_s=over(lambda o: o.texts_per_s),
        choice=outcomes[0].choice,
    )


def estimate(values: Sequence[float]) -> Estimate:
    """Mean and sample standard deviation.

    >>> estimate([1.0, 3.0]).spread, estimate([1.0]).spread
    (1.4142135623730951, None)
    """
    return Estimate(statistics.mean(values), statistics.stdev(values) if len(values) > 1 else None)


HEADINGS = (
    "method",
    "fits",
    "validation acc. %",
    "accuracy %",
    "macro-F1 %",
    "ECE %",
    "time",
    "MB",
    "texts/s",
    "chosen",
)


def cells(row: Row) -> list[str]:
    """A row as text, under `HEADINGS`. Time and size are means."""
    return [
        row.title,
        str(row.fits),
        row.validation_accuracy.show(1, scale=100),
        row.accuracy.show(1, scale=100),
        row.macro_f1.show(1, scale=100),
        row.ece.show(1, scale=100),
        format_duration(row.seconds.mean),
        f"{row.size_bytes.mean / 1e6:.2g}" if row.size_bytes.mean < 10e6 else f"{row.size_bytes.mean / 1e6:,.0f}",
        f"{row.texts_per_s.mean:,.0f}",
        row.choice,
    ]


def print_table(console: Console, comparison: Comparison) -> None:
    """For a person to read."""
    table = Table(box=box.SIMPLE_HEAD if console.is_terminal else box.ASCII2)
    for heading in HEADINGS:
        table.add_column(heading, justify="left" if heading in ("method", "chosen") else "right", overflow="fold")
    for row in summarise(comparison):
        table.add_row(*cells(row))
    console.print(table)
    for line in notes(comparison):
        console.print(line, markup=False)


def write_markdown(comparison: Comparison) -> str:
    """The table with what is needed to judge and repeat it."""
    table = [f"| {' | '.join(HEADINGS)} |", "| --- |" + " ---: |" * (len(HEADINGS) - 2) + " --- |"]
    table += [f"| {' | '.join(cells(row))} |" for row in summarise(comparison)]
    parts = ", ".join(f"{role} `{file.file}` ({file.rows:,})" for role, file in comparison.data.items())
    made = (
        f"{comparison.created}, {comparison.machine}, {comparison.device}, threads: {comparison.threads}; "
        f"Sluice {comparison.code['version'] or 'unknown'} ({comparison.code['commit'] or 'no commit'})."
    )
    sections = ["\n".join(table), "\n".join(f"- {line}" for line in notes(comparison))]
    return "\n\n".join([*sections, f"```sh\n{comparison.command}\n```", f"{made} Texts: {parts}."]) + "\n"


def notes(comparison: Comparison) -> list[str]:
    """What a reader of the table must know."""
    rows = {role: file.rows for role, file in comparison.data.items()}
    read = "the test texts, read once a fit"
    if "test" not in rows:
        read = "validation, which also chose: there is no test file"
    budget = "no limit" if comparison.budget_s is None else f"about {comparison.budget_s:g} s a fit"
    cost = f"Time is from texts to model, choosing included; budget: {budget}."
    return [
        f"Accuracy, macro-F1 and ECE are of {read}. Mean ± standard deviation over the fits, each with its own seed.",
        f"ECE is after a temperature fitted on validation, for every method. {cost}",
        *(f"{title} did not take part: {cause}." for title, cause in comparison.absent.items()),
        *(f"Mind: {warning}." for warning in comparison.warnings),
    ]

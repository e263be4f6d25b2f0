"""The results of a comparison: one outcome a method and seed, and the table of means and spreads."""

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
        method, title: the method's name and its name in tables.
        seed: None for a method that needs none.
        choice: what was chosen on validation.
        temperature: fitted on validation; all probabilities are after it.
        validation, test: figures; validation chose, so its own are flattered.
        seconds: from the texts to the finished model, choosing included.
        size_bytes: on disk.
        texts_per_s: answered from plain text, in bulk.
        unused: what the other methods learn from and this one cannot.
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
    unused: tuple[str, ...] = ()

    @property
    def scores(self) -> Scores:
        """Figures of the test texts or, where there are none, of validation."""
        return self.test or self.validation


class Comparison(Results):
    """The contents of `comparison.json`.

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
        """Tells a fit that is already there from one that is still to be made."""
        return any((outcome.method, outcome.seed) == (method, seed) for outcome in self.outcomes)


@dataclass(frozen=True, slots=True)
class Estimate:
    """Mean of some fits, and their standard deviation; None of one."""

    mean: float
    spread: float | None

    @classmethod
    def of(cls, values: Sequence[float]) -> "Estimate":
        """Mean and sample standard deviation.

        >>> Estimate.of([1.0, 3.0]).spread, Estimate.of([1.0]).spread
        (1.4142135623730951, None)
        """
        return cls(statistics.mean(values), statistics.stdev(values) if len(values) > 1 else None)

    def percent(self) -> str:
        """Percents with one decimal, as in a table.

        >>> Estimate(0.8512, 0.0034).percent(), Estimate(0.8512, None).percent()
        ('85.1 ± 0.3', '85.1')
        """
        spread = "" if self.spread is None else f" ± {self.spread * 100:.1f}"
        return f"{self.mean * 100:.1f}{spread}"


@dataclass(frozen=True, slots=True)
class Fits:
    """The fits of one method, one a seed."""

    outcomes: Sequence[Outcome]

    @property
    def first(self) -> Outcome:
        """The fit whose title and choice stand for all."""
        return self.outcomes[0]

    def over(self, figure: Callable[[Outcome], float]) -> Estimate:
        """Mean and spread of a figure."""
        return Estimate.of([figure(outcome) for outcome in self.outcomes])

    @property
    def accuracy(self) -> Estimate:
        """Accuracy on the test texts or, where there are none, on validation."""
        return self.over(lambda fit: fit.scores.accuracy)


def by_method(comparison: Comparison) -> list[Fits]:
    """The fits of each method, in order of appearance."""
    groups: dict[str, list[Outcome]] = {}
    for outcome in comparison.outcomes:
        groups.setdefault(outcome.method, []).append(outcome)
    return [Fits(outcomes) for outcomes in groups.values()]


COLUMNS: dict[str, Callable[[Fits], str]] = {
    "method": lambda fits: fits.first.title,
    "fits": lambda fits: str(len(fits.outcomes)),
    "validation acc. %": lambda fits: fits.over(lambda fit: fit.validation.accuracy).percent(),
    "accuracy %": lambda fits: fits.accuracy.percent(),
    "macro-F1 %": lambda fits: fits.over(lambda fit: fit.scores.macro_f1).percent(),
    "ECE %": lambda fits: fits.over(lambda fit: fit.scores.ece).percent(),
    "time": lambda fits: format_duration(fits.over(lambda fit: fit.seconds).mean),
    "MB": lambda fits: format_megabytes(fits.over(lambda fit: fit.size_bytes).mean),
    "texts/s": lambda fits: f"{fits.over(lambda fit: fit.texts_per_s).mean:,.0f}",
    "chosen": lambda fits: fits.first.choice,
}
"""Columns of the table: the heading, and the cell of a method."""

WORDS = ("method", "chosen")
"""Columns that are aligned left; the others hold numbers."""


def format_megabytes(size_bytes: float) -> str:
    """Megabytes to two digits, or whole ones from ten on.

    >>> format_megabytes(2_345_678), format_megabytes(12_345_678)
    ('2.3', '12')
    """
    return f"{size_bytes / 1e6:.2g}" if size_bytes < 10e6 else f"{size_bytes / 1e6:,.0f}"


def print_table(console: Console, comparison: Comparison) -> None:
    """Prints the table and what a reader must know."""
    table = Table(box=box.SIMPLE_HEAD if console.is_terminal else box.ASCII2)
    for heading in COLUMNS:
        table.add_column(heading, justify="left" if heading in WORDS else "right", overflow="fold")
    for row in table_rows(comparison):
        table.add_row(*row)
    console.print(table)
    for line in [*notes(comparison), *(f"Mind: {warning}." for warning in comparison.warnings)]:
        console.print(line, markup=False)


def write_markdown(comparison: Comparison) -> str:
    """Writes the table as Markdown, with what is needed to judge and repeat it."""
    columns = {heading: "---" if heading in WORDS else "---:" for heading in COLUMNS}
    return comparison.write_markdown(columns, table_rows(comparison), notes(comparison))


def table_rows(comparison: Comparison) -> list[list[str]]:
    """Cells of each method, under `COLUMNS`."""
    return [[cell(fits) for cell in COLUMNS.values()] for fits in by_method(comparison)]


def notes(comparison: Comparison) -> list[str]:
    """Sentences on how the figures were measured, on methods that are missing, and on what one could not use."""
    read = "the test texts, read once a fit"
    if "test" not in comparison.data:
        read = "validation, which also chose: there is no test file"
    budget = "no limit" if comparison.budget_s is None else f"about {comparison.budget_s:g} s a fit"
    cost = f"Time is from texts to model, choosing included; budget: {budget}."
    return [
        f"Accuracy, macro-F1 and ECE are of {read}. Mean ± standard deviation over the fits, each with its own seed.",
        f"ECE is after a temperature fitted on validation, for every method. {cost}",
        *(f"{title} did not take part: {cause}." for title, cause in comparison.absent.items()),
        *(
            f"{fits.first.title} learned without the {' and the '.join(fits.first.unused)}, which it cannot use."
            for fits in by_method(comparison)
            if fits.first.unused
        ),
    ]

"""Findings of a report: their kinds, and the rows that they concern."""

import tomllib
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter

from model.config import Frozen
from tables.errors import Row
from training.data.dataset import Dataset

Severity = Literal["problem", "look", "note"]

EXAMPLES = 3
"""Rows that a finding shows."""

SHORT_TEXT = 100
"""Characters of a text that an example shows."""

BEFORE = 31
"""Of these, the ones before what was found."""


class Kind(Frozen):
    """A kind of findings; `kinds.toml` has them all.

    Attributes:
        title: says of the rows that are counted what they are.
        severity: of most findings of the kind.
        train: does about it, as it is today.
        remedy: for a person to choose.
        unit: of the counts.
        warned: true if `train` warns of it in its own words in any case.
    """

    title: str
    severity: Severity
    train: str
    remedy: str
    unit: Literal["rows", "labels"] = "rows"
    warned: bool = False


class Example(Frozen):
    """A row that shows what a finding is about.

    Attributes:
        file: that the row stands in, where the data are in several.
        row: 1 for the first row of data.
        line: where the row ends in the file; None where the format has no lines.
        text: its text, shortened, on one line; personal data are masked.
        labels: names of its labels.
    """

    file: str | None = None
    row: int
    line: int | None
    text: str
    labels: tuple[str, ...]


class Finding(Frozen):
    """Rows of a file in which something is wrong, or worth a look.

    Attributes:
        kind: name of its `Kind`.
        severity: `problem` (mend it before training), `look` (look at the rows, then decide) or `note`.
        role: `train`, `validation` or `test`, the file that the rows are of.
        count, total: number of rows (or labels) that it concerns, and of all.
        unit: of these numbers.
        title: says of the counted rows what they are.
        detail: figures and names, empty if there are none.
        examples: some of the rows.
        train: does about it.
        remedy: for a person to choose.
    """

    kind: str
    severity: Severity
    role: str
    count: int
    total: int
    unit: str
    title: str
    detail: str
    examples: tuple[Example, ...]
    train: str
    remedy: str

    @property
    def share(self) -> float:
        """The part of all that it concerns, 0 to 1."""
        return self.count / max(1, self.total)


@cache
def kinds() -> dict[str, Kind]:
    """Every kind by its name, in the order of a report."""
    table = tomllib.loads((Path(__file__).parent / "kinds.toml").read_text(encoding="utf-8"))
    return TypeAdapter(dict[str, Kind]).validate_python(table)


def finding(
    kind: str,
    role: str,
    dataset: Dataset,
    places: Sequence[int],
    *,
    detail: str = "",
    severity: Severity | None = None,
    show: Callable[[str], str] | None = None,
    count: int | None = None,
    total: int | None = None,
    rows: Sequence[Row] = (),
) -> Finding:
    """Makes a finding about rows of a data set.

    Args:
        kind: name of the kind.
        role: of the data set.
        dataset: the rows that were looked at.
        places: places of the rows in the data set; the first are examples.
        detail: figures and names.
        severity: where it is not that of the kind.
        show: changes a text before it is shortened and shown.
        count, total: where they are not the numbers of `places` and of the rows.
        rows: examples that are not in the data set, because they were left out.
    """
    known = kinds()[kind]
    examples = [_example(dataset, place, show) for place in places[:EXAMPLES]]
    examples += [_shown(row, "", ()) for row in rows[:EXAMPLES]]
    return Finding(
        kind=kind,
        severity=severity or known.severity,
        role=role,
        count=len(places) if count is None else count,
        total=len(dataset) if total is None else total,
        unit=known.unit,
        title=known.title,
        detail=detail,
        examples=tuple(examples),
        train=known.train,
        remedy=known.remedy,
    )


def _example(dataset: Dataset, place: int, show: Callable[[str], str] | None) -> Example:
    text, row = dataset.texts[place], dataset.rows[place]
    text = shortened(show(text) if show else text)
    return _shown(row, text, dataset.labels[place])


def _shown(row: Row, text: str, labels: tuple[str, ...]) -> Example:
    file = None if row.path is None else row.path.name
    return Example(file=file, row=row.number, line=row.line, text=text, labels=labels)


def shortened(text: str, length: int = SHORT_TEXT) -> str:
    r"""A text on one line, cut at `length` characters; what cannot be printed is escaped.

    >>> shortened("one\ntwo\x00 three", 12)
    'one two\\x00…'
    """
    plain = " ".join(text.split())
    plain = "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in plain[: length + 1])
    return plain if len(plain) <= length else plain[: length - 1] + "…"


def around(text: str, place: int) -> str:
    """The part of a text that begins a little before `place`, so that an example shows what was found there.

    >>> around("a" * 100 + " found here", 101)
    '…aaaaaaaaaaaaaaaaaaaaaaaaaaaaa found here'
    """
    return text if place <= BEFORE else "…" + text[place - BEFORE + 1 :]


def in_order(findings: Iterable[Finding]) -> Iterator[Finding]:
    """Findings by severity, then in the order of their kinds; those of the training file before others."""
    severities, names = ["problem", "look", "note"], list(kinds())
    yield from sorted(findings, key=lambda found: (severities.index(found.severity), names.index(found.kind)))

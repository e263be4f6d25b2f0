"""Tables of `benchmarks.training.own_data`: figures by set and method, then ranks and distances of every method."""

import statistics
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol


class Fit(Protocol):
    """The parts of a cell that a table needs."""

    @property
    def set(self) -> str:
        """Name of the data set."""
        ...

    @property
    def method(self) -> str:
        """Name of the method."""
        ...

    @property
    def rows(self) -> int:
        """Training rows; 0 is all."""
        ...


Figures = Mapping[tuple[str, int], Mapping[str, Sequence[float]]]
"""Figures of each seed, 0 to 1, by set and rows and then by method."""


def table(results: Mapping[Fit, float]) -> Iterator[str]:
    """Markdown: means and half the range over the seeds in percent; below them how the methods compare."""
    figures = grouped(results)
    methods = list(dict.fromkeys(fit.method for fit in results))
    yield f"| set | rows | {' | '.join(map(shown, methods))} |"
    yield f"| --- | ---: |{' ---: |' * len(methods)}"
    for (name, rows), by_method in figures.items():
        yield f"| {name} | {rows or 'all'} | {' | '.join(spread(by_method.get(m, ())) for m in methods)} |"
    for rows in dict.fromkeys(rows for _, rows in figures):
        means = {
            place: {method: statistics.fmean(values) for method, values in by_method.items()}
            for place, by_method in figures.items()
            if place[1] == rows
        }
        yield from compared(means, methods, rows)


def compared(means: Mapping[tuple[str, int], Mapping[str, float]], methods: Sequence[str], rows: int) -> Iterator[str]:
    """Lines of one number of rows: mean figure, mean rank, and the gain over the best of the others."""
    whole = [by_method for by_method in means.values() if len(by_method) == len(methods)]
    label = rows or "all"
    if not whole:
        return
    yield f"| **mean** | {label} | {_line(f'{100 * statistics.fmean(m[x] for m in whole):.1f}' for x in methods)} |"
    if len(methods) == 1:
        return
    ranks = [[1 + sum(other > m[x] for other in m.values()) for m in whole] for x in methods]
    yield f"| mean rank | {label} | {_line(f'{statistics.fmean(of_method):.2f}' for of_method in ranks)} |"
    gains = [[100 * (m[x] - max(value for other, value in m.items() if other != x)) for m in whole] for x in methods]
    yield f"| mean gain over the best other | {label} | {_line(f'{statistics.fmean(g):+.1f}' for g in gains)} |"
    yield f"| worst | {label} | {_line(f'{min(g):+.1f}' for g in gains)} |"


def grouped(results: Mapping[Fit, float]) -> Figures:
    """The figures by set and rows, and by method."""
    found: dict[tuple[str, int], dict[str, list[float]]] = {}
    for fit, value in results.items():
        found.setdefault((fit.set, fit.rows), {}).setdefault(fit.method, []).append(value)
    return found


def spread(values: Sequence[float]) -> str:
    """Mean and half the range in percent.

    >>> spread([0.7, 0.8]), spread([0.7]), spread([])
    ('75.0 ± 5.0', '70.0', '-')
    """
    if not values:
        return "-"
    mean = f"{100 * statistics.fmean(values):.1f}"
    return mean if len(values) == 1 else f"{mean} ± {50 * (max(values) - min(values)):.1f}"


def shown(method: str) -> str:
    """The name of a method with the last part of its folder.

    >>> shown("train:runs/encoder"), shown("tfidf")
    ('train from encoder', 'tfidf')
    """
    name, _, start = method.partition(":")
    return f"{name} from {Path(start).name}" if start else name


def _line(cells: Iterator[str]) -> str:
    return " | ".join(cells)

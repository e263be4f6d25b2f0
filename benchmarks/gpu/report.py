"""Figures of a run: printed as they come, kept as JSON, written as Markdown, whatever fails in between."""

import datetime
import json
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

Value = str | float | int | bool | None


@dataclass
class Report:
    """Findings of a run, section by section.

    Args:
        folder: where `gpu.json` and `gpu.md` go, written anew after each section; none keeps them in memory.
        until: when no further section begins, as of `time.monotonic`.

    Attributes:
        facts: of the machine.
        rows: by section, in order; each a mapping of column to value.
        failures: by section.
    """

    folder: Path | None
    until: float
    facts: dict[str, Value] = field(default_factory=dict)
    rows: dict[str, list[dict[str, Value]]] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    _section: str = ""
    _began: float = 0.0

    def section(self, name: str, run: Callable[["Report"], None]) -> None:
        """Runs one section; if it fails, says so and goes on."""
        began = time.monotonic()
        if began > self.until:
            self.failures[name] = "left out: no time left"
            print(f"== {name}: left out, no time left", flush=True)
            return
        self._section, self._began = name, began
        print(f"== {name}", flush=True)
        try:
            run(self)
        except Exception as error:  # the device's time is short: the other sections still count
            self.failures[name] = f"{type(error).__name__}: {error}"[:2000]
            print(traceback.format_exc()[-3000:], flush=True)
        self.seconds[name] = round(time.monotonic() - began, 1)
        print(f"   ({self.seconds[name]} s)", flush=True)
        self.write()

    def running(self) -> float:
        """Seconds that the section has taken until now."""
        return time.monotonic() - self._began

    def add(self, **row: Value) -> None:
        """One row of the section under way."""
        self.rows.setdefault(self._section, []).append(row)
        print("   " + "  ".join(f"{name}={_shown(value)}" for name, value in row.items()), flush=True)

    def write(self) -> None:
        """Writes gpu.json and gpu.md."""
        if self.folder is None:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        found = {"facts": self.facts, "rows": self.rows, "failures": self.failures, "seconds": self.seconds}
        (self.folder / "gpu.json").write_text(json.dumps(found, indent=1, default=str), encoding="utf-8")
        (self.folder / "gpu.md").write_text(self.markdown(), encoding="utf-8")

    def markdown(self) -> str:
        """All sections as tables."""
        today = datetime.datetime.now(datetime.UTC).date()
        lines = [f"# GPU, {today}", "", *(f"- {name}: {_shown(value)}" for name, value in self.facts.items()), ""]
        for name, rows in self.rows.items():
            columns = list(dict.fromkeys(column for row in rows for column in row))
            lines += [f"## {name}", "", f"| {' | '.join(columns)} |", f"|{' --- |' * len(columns)}"]
            lines += [f"| {' | '.join(_shown(row.get(column, '')) for column in columns)} |" for row in rows] + [""]
        lines += [f"- {name}: {why}" for name, why in self.failures.items()]
        return "\n".join(lines) + "\n"


def summary(report: Report) -> str:
    """The table in a line for each set and number of texts: our texts a second, and how many times the others'."""
    lines = []
    groups: dict[tuple[Value, ...], list[dict[str, Value]]] = {}
    for row in report.rows.get("table", []):
        if isinstance(row.get("kernel_is_times"), float):
            groups.setdefault((row["set"], row["texts"], row["ngrams"]), []).append(row)
    for (name, texts, ngrams), rows in groups.items():
        first = rows[0]
        others = ", ".join(f"{row['way']} {_shown(row['kernel_is_times'])}" for row in rows[1:])
        with_ngrams = "with n-grams" if ngrams else "network alone"
        lines.append(f"{name} {_shown(texts)} {with_ngrams}: {_shown(first['per_second'])}/s; is times {others}")
    return "\n".join([*lines, *(f"FAILED {name}: {why[:300]}" for name, why in report.failures.items())])


def _shown(value: Value) -> str:
    """A value with as many digits as mean something.

    >>> [_shown(value) for value in (1234567.8, 12.345, 0.00012345, 7, None, "text")]
    ['1,234,568', '12.3', '0.000123', '7', '', 'text']
    """
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, float):
        return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"

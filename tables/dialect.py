"""Finds how a delimited file separates and quotes its fields, from its first lines and the columns that are wanted.

A sniffer that only counts takes a separator for another where texts hold many of it. The header decides here: the
separator that parts the wanted names is the right one (docs/design/0021).
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from tables.names import clean_name, same_name

SEPARATORS = (",", "\t", ";", "|")
NAMES = {";": "semicolons", "|": "vertical bars"}
SAMPLE_LINES = 500


@dataclass(frozen=True, slots=True)
class Dialect:
    """The separator and the quotation mark of a file; `skip_space` passes over spaces after a separator.

    Attributes:
        named: the file says its separator itself, in a first line `sep=;` as Excel reads it.
    """

    separator: str
    quote: str = '"'
    skip_space: bool = False
    named: bool = False

    def describe(self) -> str:
        """The form in words."""
        form = {",": "CSV", "\t": "TSV"}.get(self.separator)
        form = form or f"CSV separated by {NAMES.get(self.separator) or repr(self.separator)}"
        return form if self.quote == '"' else f"{form} quoted by {self.quote}"

    def split(self, line: str) -> list[str]:
        """Splits one line into fields; a quotation mark counts only where it closes before a separator."""
        return [_unquote(match, self.quote) for match in _fields(self.separator, self.quote, self.skip_space)(line)]

    def split_loose(self, text: str) -> list[str] | None:
        """Splits a record in which quotation marks inside a field are not doubled; None if a field is not closed.

        A quotation mark closes its field only before a separator or the end.
        """
        fields = []
        place = 0
        while place <= len(text):
            start = place + (len(text[place:]) - len(text[place:].lstrip(" ")) if self.skip_space else 0)
            if text.startswith(self.quote, start):
                end = self._closing(text, start + 1)
                if end is None:
                    return None
                fields.append(text[start + 1 : end].replace(self.quote * 2, self.quote))
                place = end + 2
            else:
                end = text.find(self.separator, place)
                end = len(text) if end < 0 else end
                fields.append(text[start:end])
                place = end + 1
        return fields

    def _closing(self, text: str, start: int) -> int | None:
        while (end := text.find(self.quote, start)) >= 0:
            if end + 1 == len(text) or text[end + 1] == self.separator:
                return end
            start = end + 1
        return None


@lru_cache(maxsize=16)
def _fields(separator: str, quote: str, skip_space: bool) -> Callable[[str], Iterator[re.Match[str]]]:
    """A finder of the fields of a line, whose groups are a quoted and a plain field."""
    s, q = re.escape(separator), re.escape(quote)
    space = " *" if skip_space else ""
    pattern = re.compile(rf"(?:^|{s}){space}(?:{q}((?:[^{q}]|{q}{q})*+){q}(?={s}|\Z)|([^{s}]*))", re.DOTALL)
    return pattern.finditer


def _unquote(match: re.Match[str], quote: str) -> str:
    quoted, plain = match.groups()
    return plain if quoted is None else quoted.replace(quote * 2, quote)


def find_dialect(beginning: str, wanted: Sequence[str], prefer: str = ",") -> Dialect:
    """Finds the dialect of a file.

    Args:
        beginning: the first characters of the file; its last line may be cut off.
        wanted: names of columns; empty where they are not known.
        prefer: the separator to take where nothing else decides.
    """
    lines = re.split(r"\r\n|\n|\r", beginning)
    lines = [line for line in (lines[:-1] if len(lines) > 1 else lines) if line.strip()][:SAMPLE_LINES]
    if not lines:
        return Dialect(prefer)
    if named := re.fullmatch(r"\ufeff?\s*\"?sep=(.)\"?\s*", lines[0], re.IGNORECASE):
        return Dialect(named[1], named=True)
    header, rows = lines[0], lines[1:]
    others = sorted(set(re.findall(r"[^\w\s\"'.\-()\[\]{}/\\]", header)) - set(SEPARATORS)) if wanted else []
    candidates = [Dialect(mark, quote) for quote in "\"'" for mark in dict.fromkeys((prefer, *SEPARATORS, *others))]
    best = max(candidates, key=lambda dialect: _fit(dialect, header, rows, wanted))  # of equals the first
    spaced = header.count(f"{best.separator} ") * 2 > header.count(best.separator)
    quoted = sum(f"{best.separator} {best.quote}" in line for line in rows) * 2 > len(rows)
    return Dialect(best.separator, best.quote, skip_space=spaced or quoted)


def _fit(dialect: Dialect, header: str, rows: Sequence[str], wanted: Sequence[str]) -> tuple[float, ...]:
    """Orders dialects: by wanted names, by parting anything, by odd quotation marks, by equal widths, by columns."""
    names = [clean_name(name) for name in dialect.split(header)]
    found = sum(any(same_name(name, other) for other in names) for name in wanted)
    marks = sum('"' in name or name.startswith("'") for name in names)  # none where they enclose the names
    same = sum(len(dialect.split(row)) == len(names) for row in rows) / max(1, len(rows))
    return found, len(names) > 1 or 0 < found == len(wanted), -marks, round(same, 1), len(names)

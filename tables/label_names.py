"""Names of labels: from values of any type, which of them mean a missing one, and which look alike."""

import math
import re
from collections.abc import Mapping
from decimal import Decimal

from tables.names import clean_name, folded

MISSING = {"", "-", "--", "nan", "-nan", "na", "n/a", "#n/a", "#na", "<na>", "null", "(null)", "nat"}
"""Spellings of a missing value, without case: those that pandas reads as missing, and a dash."""

MISSING_EXACT = {"None"}
"""As Python writes it; `none` in small letters is a label in many files."""

NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)


def is_missing(value: object, keep: frozenset[str] = frozenset()) -> bool:
    """True if a value means that there is none, unless `keep` names it as a label.

    >>> is_missing("N/A"), is_missing("N/A", frozenset({"N/A"})), is_missing("none")
    (True, False, False)
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return True
    if not isinstance(value, str) or value.strip() in keep:
        return False
    return clean_name(value).casefold() in MISSING or clean_name(value) in MISSING_EXACT


def label_name(value: object) -> str:
    """A label's name, the same in every format: `true` or `false`, whole numbers without a fraction, else the text.

    >>> [label_name(value) for value in (1, 1.0, "1.0", True, "TRUE", " a ")]
    ['1', '1', '1', 'true', 'true', 'a']

    Raises:
        ValueError: the value cannot be a label.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float | Decimal) and value % 1 == 0:
        return str(int(value))
    if isinstance(value, str | int | float | Decimal):
        name = str(value).strip()
        if name.casefold() in ("true", "false"):
            return name.casefold()
        return str(int(float(name))) if _is_padded_whole(name) else name
    raise ValueError(f"expected a label, found {type(value).__name__}")


def _is_padded_whole(name: str) -> bool:
    """True for whole numbers as floats are written, such as `3.0`; `007` and `+1` stay as they are."""
    whole, point, fraction = name.removeprefix("-").partition(".")
    return bool(point) and whole.isascii() and whole.isdigit() and not fraction.strip("0") and len(whole) < 16


def is_whole_number(name: str) -> bool:
    """Tells a label that is a whole number from other names.

    >>> is_whole_number("-3"), is_whole_number("3.0")
    (True, False)
    """
    digits = name.removeprefix("-")
    return digits.isascii() and digits.isdigit()


def spelling_groups(counts: Mapping[str, int]) -> list[list[str]]:
    """Groups of names that look alike or are the same number, in each the commonest first.

    >>> spelling_groups({"pos": 3, "Pos": 5, "neg": 4, "1": 1, "01": 2})
    [['Pos', 'pos'], ['01', '1']]
    """
    groups: dict[object, list[str]] = {}
    for name in counts:
        groups.setdefault(spelling_key(name), []).append(name)
    alike = [sorted(group, key=lambda name: (-counts[name], name)) for group in groups.values() if len(group) > 1]
    return sorted(alike, key=lambda group: (-sum(counts[name] for name in group), group))


def spelling_key(name: str) -> object:
    """The value that names share which differ in spelling only: of a number itself, else `folded`."""
    key = folded(name)
    if NUMBER.fullmatch(key):
        return Decimal(key)
    return key


def unusual_none(counts: Mapping[str, int], keep: frozenset[str]) -> str | None:
    """The label `none` or `missing`, which may mean that there is no label; None if there is no such label."""
    return next((name for name in counts if folded(name) in ("none", "missing", "nil", "?") and name not in keep), None)

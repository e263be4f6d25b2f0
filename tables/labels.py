"""Reads the values of a column as texts or as labels, the same for every format.

A label may be of any type in the file; here it is a name. A list of labels in a row makes the column multi-label.
"""

import json
import math
from collections.abc import Sequence

from tables.reader import Column

Names = tuple[str, ...]
"""The labels of one text: exactly one name in a single-label column, any number in a multi-label one."""


def read_texts(column: Column) -> list[str]:
    """Reads the values as texts; a number is written out.

    Raises:
        TableError: a text is missing, or is something else.
    """
    return [_text(column, index) for index in range(len(column.values))]


def read_labels(column: Column) -> tuple[list[Names], bool]:
    """Reads the label names of each row, distinct and in the file's order.

    Returns:
        The names, and true if rows have lists of labels.

    Raises:
        TableError: a label is missing, or is something that cannot be one.
    """
    values: Sequence[object] = column.values
    if all(isinstance(value, str) and value.lstrip().startswith("[") for value in values):
        values = [_parse_list(column, index) for index in range(len(values))]
    multi_label = any(isinstance(value, list) for value in values)
    labels = []
    for index, value in enumerate(values):
        try:
            labels.append(_list_names(value) if multi_label else (_name(value),))
        except ValueError as error:
            raise column.error(index, str(error)) from None
    return labels, multi_label


def is_whole_number(name: str) -> bool:
    """Tells a label that is a whole number from other names.

    >>> is_whole_number("-3"), is_whole_number("3.0")
    (True, False)
    """
    digits = name.removeprefix("-")
    return digits.isascii() and digits.isdigit()


def _text(column: Column, index: int) -> str:
    value = column.values[index]
    if isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool) and not _is_nan(value):
        return str(value)
    missing = value is None or _is_nan(value)
    raise column.error(index, "the text is missing" if missing else f"expected text, found {type(value).__name__}")


def _parse_list(column: Column, index: int) -> object:
    """A text format's list of labels, written as a JSON array."""
    try:
        return json.loads(str(column.values[index]))
    except ValueError as error:
        raise column.error(index, f"not a JSON array of labels: {error}") from error


def _list_names(value: object) -> Names:
    if isinstance(value, list):
        return tuple(dict.fromkeys(_name(item) for item in value))
    raise ValueError("expected a list of labels, as in other rows")


def _name(value: object) -> str:
    """A label's name: `true` or `false`, whole numbers without a fraction, text without outer white space."""
    if value is None or _is_nan(value) or (isinstance(value, str) and not value.strip()):
        raise ValueError("the label is missing")
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, str | int | float):
        return str(value).strip()
    raise ValueError(f"expected a label, found {type(value).__name__}")


def _is_nan(value: object) -> bool:
    return isinstance(value, float) and math.isnan(value)

"""Files to read, and what is wrong with those that cannot be."""

from pathlib import Path

import pytest

from tables.errors import TableError
from tables.reader import read_columns

BOTH = ("text", "label")


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def values(path: Path) -> dict[str, list[object]]:
    return {column.name: column.values for column in read_columns(path, BOTH)}


def rows(path: Path) -> list[str]:
    return [str(row) for row in read_columns(path, BOTH)[0].rows]


def error_of(path: Path) -> TableError:
    with pytest.raises(TableError) as caught:
        read_columns(path, BOTH)
    assert str(path) in str(caught.value)
    return caught.value

from pathlib import Path

import pytest

from tables.errors import Row, TableError


@pytest.mark.parametrize(
    ("row", "column", "message"),
    [
        (None, None, "a.csv: is empty"),
        (Row(3), None, "a.csv, row 3: is empty"),
        (Row(3, 5), "text", "a.csv, row 3 (line 5), column 'text': is empty"),
        (None, "text", "a.csv, column 'text': is empty"),
    ],
)
def test_the_message_names_what_is_known_of_the_place(row: Row | None, column: str | None, message: str) -> None:
    error = TableError(Path("a.csv"), "is empty", row=row, column=column)
    assert str(error) == message
    assert (error.path, error.cause, error.row, error.column) == (Path("a.csv"), "is empty", row, column)

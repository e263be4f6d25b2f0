from pathlib import Path

import pytest

from tables.errors import TableError
from tables.reader import Column, read_columns
from tables.weights import read_weights
from tests.tables.samples import write


def weights(folder: Path, *values: str) -> Column:
    lines = "".join(f"a;{value}\n" for value in values)
    (column,) = read_columns(write(folder / "a.csv", "text;weight\n" + lines), ["weight"])
    return column


def test_weights_are_numbers_of_any_form(tmp_path: Path) -> None:
    column = weights(tmp_path, "1", " 2,5 ", "1e-1", "0")
    assert read_weights(column, range(4)).tolist() == pytest.approx([1, 2.5, 0.1, 0])
    assert read_weights(column, [3, 1]).tolist() == [0, 2.5]


@pytest.mark.parametrize(
    ("value", "found"), [("", "nothing"), ("heavy", "'heavy'"), ("-1", "'-1'"), ("inf", "'inf'"), ("1,000,000", "'1,0")]
)
def test_what_is_no_weight_is_named_by_its_row(tmp_path: Path, value: str, found: str) -> None:
    with pytest.raises(TableError, match=rf"a\.csv, row 2 \(line 3\), column 'weight': expected a weight.* {found}"):
        read_weights(weights(tmp_path, "1", value), range(2))


def test_weights_that_are_all_zero_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TableError, match=r"column 'weight': every weight is 0"):
        read_weights(weights(tmp_path, "0", "0,0"), range(2))

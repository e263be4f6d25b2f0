from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tables.parquet import write_parquet
from tables.reader import read_batches
from tables.reading import Reading
from tests.tables.samples import error_of, rows, values, write


def test_values_are_read_with_their_rows_and_without_lines(tmp_path: Path) -> None:
    labels = pa.array(["x", "y"]).dictionary_encode()
    pq.write_table(pa.table({"text": ["a", "b"], "label": labels, "n": [1, 2]}), tmp_path / "a.parquet")
    assert values(tmp_path / "a.parquet") == {"text": ["a", "b"], "label": ["x", "y"]}
    assert rows(tmp_path / "a.parquet") == ["row 1", "row 2"]


def test_unusable_files(tmp_path: Path) -> None:
    pq.write_table(pa.table({"review": ["a"], "label": ["x"]}), tmp_path / "a.parquet")
    assert error_of(tmp_path / "a.parquet").cause == "no column 'text'; the file has 'review', 'label'"
    twice = pa.Table.from_arrays([pa.array(["a"])] * 3, names=["text", "label", "label"])
    pq.write_table(twice, tmp_path / "b.parquet")
    assert error_of(tmp_path / "b.parquet").cause == "two columns have this name"
    assert "not a valid Parquet file" in error_of(write(tmp_path / "c.parquet", b"PAR1 not really")).cause


def test_of_columns_with_one_name_the_first_is_read_where_none_is_asked_for(tmp_path: Path) -> None:
    table = pa.Table.from_arrays([pa.array(["a"]), pa.array([1]), pa.array([2])], names=["text", "id", "id"])
    pq.write_table(table, tmp_path / "a.parquet")
    (batch,) = read_batches(tmp_path / "a.parquet", None)
    assert (batch.values("text"), batch.values("id")) == (["a"], [1])


@pytest.mark.parametrize("kind", [pa.binary(), pa.large_binary(), pa.binary_view()])
def test_bytes_are_text_unless_most_are_none(tmp_path: Path, kind: pa.DataType) -> None:
    """Older programs write text as bytes; a column of images must not keep the others from being read."""
    texts, images = [b"good", b"caf\xe9", None, b"bad"], [b"\x89PNG\xff", None, b"\xff\xd8", b"GIF8"]
    pq.write_table(pa.table({"text": pa.array(texts, kind), "image": pa.array(images, kind)}), tmp_path / "a.parquet")
    readings: list[Reading] = []
    (batch,) = read_batches(tmp_path / "a.parquet", None, readings=readings)
    assert batch.values("text") == ["good", "caf\ufffd", None, "bad"]
    assert batch.values("image") == images
    assert readings[0].warnings() == ["1 place not valid in UTF-8, read as '\ufffd'"]


def test_json_is_read_as_its_values(tmp_path: Path) -> None:
    labels = pa.array(['["x"]', None, '"y"']).cast(pa.json_())
    pq.write_table(pa.table({"text": ["a", "b", "c"], "label": labels}), tmp_path / "a.parquet")
    assert values(tmp_path / "a.parquet")["label"] == [["x"], None, "y"]


def test_what_was_there_stays_until_the_new_file_is_whole(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", b"old")
    (tmp_path / "a.parquet.partial").mkdir()  # it cannot be written
    with pytest.raises(OSError, match=r"a\.parquet\.partial"):
        write_parquet(path, {"text": ["a"]})
    assert path.read_bytes() == b"old"


def test_columns_are_written_into_a_folder_that_was_not_there(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.parquet"
    write_parquet(path, {"text": ["a", "四"], "label": [["x"], []]})
    assert values(path) == {"text": ["a", "四"], "label": [["x"], []]}

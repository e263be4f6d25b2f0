from pathlib import Path

import pytest

from tables.errors import MissingColumnError, TableError
from tables.reader import read_batches, read_columns
from tests.tables.samples import BOTH, values


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder as of the Large Movie Review Dataset or 20 Newsgroups: labels, and files with or without an ending."""
    for label, texts in {"pos": ['Good,\n"really"', "\ufeffFine"], "neg": ["Schöne Grüße", ""]}.items():
        (tmp_path / label).mkdir()
        for number, text in enumerate(texts):
            name = f"{number}_9.txt" if label == "pos" else f"{number}"
            (tmp_path / label / name).write_bytes(text.encode("cp1252" if "ö" in text else "utf-8"))
    (tmp_path / "pos" / ".DS_Store").write_bytes(bytes(range(256)))
    (tmp_path / "README.txt").write_text("no text of a label", encoding="utf-8")
    return tmp_path


def test_each_folder_is_a_label_and_each_file_a_text(folder: Path) -> None:
    texts = ["Schöne Grüße", "", 'Good,\n"really"', "Fine"]
    assert values(folder) == {"text": texts, "label": ["neg", "neg", "pos", "pos"]}
    said = read_columns(folder, BOTH)[0].readings[0].describe()
    assert said.startswith(f"{folder}: 4 rows; a folder for each of 2 labels, UTF-8")
    assert "Windows-1252" in said


def test_a_row_is_called_by_its_file(folder: Path) -> None:
    column = read_columns(folder, ["text"])[0]
    error = column.error(1, "is empty")
    assert str(error) == f"{folder / 'neg' / '1'}, row 2, column 'text': is empty"
    batches = list(read_batches(folder, ["label"], batch_rows=3))
    assert [row.number for batch in batches for row in batch.rows] == [1, 2, 3, 4]


def test_only_text_and_label_are_there(folder: Path) -> None:
    with pytest.raises(MissingColumnError, match="no column 'stars'; the file has 'text', 'label'"):
        read_columns(folder, ["text", "stars"])


def test_what_is_no_text_is_refused_by_its_name(folder: Path) -> None:
    (folder / "pos" / "photo").write_bytes(b"\x89PNG" + bytes(range(256)) * 9)
    with pytest.raises(TableError, match="photo: is not a text file") as caught:
        read_columns(folder, BOTH)
    assert caught.value.path == folder / "pos" / "photo"

import io
import json
import os
import sys
from pathlib import Path
from threading import Thread
from types import SimpleNamespace

import pyarrow as pa
import pytest

import tables.sources
from tables.errors import TableError
from tables.reader import read_columns
from tables.sources import STDIN, files_of, find_parts
from tests.tables.samples import BOTH, error_of, values, write

CSV = "text,label\n{},x\n"


def names(source: Path) -> list[str]:
    return [part.path.name for part in find_parts(source)]


def test_a_pattern_gives_its_files_by_name(tmp_path: Path) -> None:
    for name in ("part-2.csv", "part-1.csv", "other.csv", "deep/er/part-3.csv"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        write(tmp_path / name, CSV.format(name))
    assert values(tmp_path / "part-*.csv")["text"] == ["part-1.csv", "part-2.csv"]
    assert len(find_parts(tmp_path / "**" / "*.csv")) == 4
    with pytest.raises(TableError, match=r"none-\*\.csv: no file is called like this"):
        find_parts(tmp_path / "none-*.csv")


def test_a_file_whose_name_is_a_pattern_is_itself(tmp_path: Path) -> None:
    write(tmp_path / "a1.csv", CSV.format("other"))
    path = write(tmp_path / "a[1].csv", CSV.format("itself"))
    assert values(path)["text"] == ["itself"]


def test_a_folder_of_tables_is_all_of_them(tmp_path: Path) -> None:
    for name in ("part-1.csv", "part-0.csv.gz", "_SUCCESS", ".part.crc", "notes.md", "_metadata.parquet"):
        write(tmp_path / name, CSV.format("a"))
    assert names(tmp_path) == ["part-0.csv.gz", "part-1.csv"]


def test_a_file_may_not_be_named_twice(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", CSV.format("a"))
    with pytest.raises(TableError, match=r"a\.csv: is named twice; its rows would count twice"):
        find_parts([tmp_path / "*.csv", path])


def test_a_folder_of_several_splits_is_no_table(tmp_path: Path) -> None:
    for name in ("train-0.csv", "train-1.csv", "validation-0.csv"):
        write(tmp_path / name, CSV.format("a"))
    error = error_of(tmp_path)
    assert error.cause == "holds texts of several splits (train-0.csv, validation-0.csv); name the files of one"
    assert names(tmp_path / "train-*.csv") == ["train-0.csv", "train-1.csv"]


def test_a_folder_that_datasets_saved_lists_its_parts(tmp_path: Path) -> None:
    for name, text in (("data-0.arrow", "a"), ("data-1.arrow", "b")):
        table = pa.table({"text": [text], "label": [0]})
        with pa.ipc.new_stream(str(tmp_path / name), table.schema) as writer:
            writer.write_table(table)
    write(tmp_path / "dataset_info.json", "{}")
    write(tmp_path / "state.json", json.dumps({"_data_files": [{"filename": f"data-{n}.arrow"} for n in (1, 0)]}))
    assert values(tmp_path) == {"text": ["b", "a"], "label": [0, 0]}
    write(tmp_path / "state.json", "[]")
    assert "does not list the files of a table" in error_of(tmp_path).cause


def test_a_folder_of_neither_is_refused_with_what_it_holds(tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    write(tmp_path / "train" / "a.csv", CSV)
    error = error_of(tmp_path)
    assert "holds train/; name its files, as in" in error.cause


def test_files_have_names_by_which_their_digests_are_listed(tmp_path: Path) -> None:
    for label in ("neg", "pos"):
        (tmp_path / label).mkdir()
        write(tmp_path / label / "1.txt", label)
    table = write(tmp_path / "pos" / "1.txt", "text")
    assert files_of([tmp_path, table]) == [
        ("neg/1.txt", tmp_path / "neg" / "1.txt"),
        ("pos/1.txt", tmp_path / "pos" / "1.txt"),
        ("1.txt", table),
    ]


def test_standard_input_is_read_once_and_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    tables.sources._copy_of.cache_clear()
    content = '\ufefftext;label\r\n"Grüße,\r\nAnn";1,5\r\n'.encode()
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(content)))
    try:
        for _ in range(2):
            texts, labels = read_columns(STDIN, BOTH)
            assert (texts.values, labels.values) == (["Grüße,\r\nAnn"], ["1,5"])
        texts, _ = read_columns(STDIN, BOTH)
        assert str(texts.error(0, "is no good")) == "standard input, row 1 (line 3), column 'text': is no good"
        with pytest.raises(TableError, match=r"^standard input: no column 'note'; the file has 'text', 'label'$"):
            read_columns(STDIN, ["note"])
    finally:
        tables.sources._copy_of.cache_clear()


def test_a_pipe_is_read_once_and_for_all(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    content = b"text;label\ngood;1\n"
    writing = Thread(target=(tmp_path / "pipe").write_bytes, args=(content,))
    writing.start()
    for _ in range(2):
        texts, labels = read_columns(tmp_path / "pipe", BOTH)
        assert (texts.path, texts.values, labels.values) == (tmp_path / "pipe", ["good"], ["1"])
    writing.join()


def test_what_is_no_file_is_not_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(
        TableError, match=r"^/dev/null: is no regular file; copy it into one, or pipe it in and name - "
    ):
        read_columns(Path("/dev/null"), BOTH)
    with pytest.raises(TableError, match=r"gone\.csv: does not exist"):
        read_columns(tmp_path / "gone.csv", BOTH)

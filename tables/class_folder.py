"""Reads a folder of texts, in which each folder is a label and each file a text."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pyarrow as pa

from tables.batch import STRING, Batch, Columns, find_columns
from tables.encoding import find_encoding
from tables.errors import TableError
from tables.reading import Reading
from tables.text import open_bytes

COLUMNS = ("text", "label")


def read_class_folder(path: Path, columns: Columns, batch_rows: int, reading: Reading) -> Iterator[Batch]:
    """Reads the texts, folder by folder in the order of their names; the columns are `text` and `label`.

    Raises:
        TableError: a file is not text, or another column is wanted.
    """
    names = list(find_columns(path, columns, COLUMNS, reading))
    folders = class_folders(path)
    reading.form = f"a folder for each of {len(folders)} labels"
    files = ((file, folder.name) for folder in folders for file in text_files(folder))
    encodings: dict[str, int] = {}
    while chunk := list(islice(files, batch_rows)):
        texts = [_text(file, encodings) for file, _ in chunk]
        found = {"text": pa.array(texts, STRING), "label": pa.array([label for _, label in chunk], STRING)}
        numbers = pa.array(range(reading.rows + 1, reading.rows + len(chunk) + 1), pa.int64())
        reading.rows += len(chunk)
        reading.encoding = " and ".join(sorted(encodings, key=lambda name: -encodings[name]))
        records = pa.RecordBatch.from_arrays([found[name] for name in names], names=names)
        yield Batch(records, numbers, lines=None, paths=[file for file, _ in chunk])


def _text(path: Path, encodings: dict[str, int]) -> str:
    with open_bytes(path) as file:
        encoding = find_encoding(file)
        if encoding is None:
            raise TableError(path, "is not a text file; a folder of labels holds one text in each file")
        encodings[encoding.name] = encodings.get(encoding.name, 0) + 1
        file.seek(0)
        return file.read().decode(encoding.codec, "replace")


def class_folders(path: Path) -> list[Path]:
    """The folders in a folder, but for hidden ones, by name."""
    return sorted(each for each in path.iterdir() if each.is_dir() and not each.name.startswith((".", "_")))


def text_files(folder: Path) -> list[Path]:
    """The files in a folder, but for hidden ones, by name."""
    return sorted(each for each in folder.iterdir() if each.is_file() and not each.name.startswith("."))

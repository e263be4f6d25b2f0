"""Reads data sets by their names on the Hugging Face Hub, with the library `datasets`.

`hf:NAME`, `hf:NAME:SPLIT` or `hf:NAME:CONFIGURATION:SPLIT`; the split is `train` if none is named.
"""

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from tables.batch import Batch, Columns, find_columns, numbered
from tables.class_labels import class_names, with_names
from tables.errors import TableError
from tables.reading import Reading

PREFIX = "hf:"


def is_hub(path: Path) -> bool:
    """True for the name of a data set on the Hub.

    >>> is_hub(Path("hf:imdb")), is_hub(Path("imdb"))
    (True, False)
    """
    return str(path).startswith(PREFIX)


def read_hub(path: Path, columns: Columns, batch_rows: int, reading: Reading) -> Iterator[Batch]:
    """Reads the columns of a data set, which is downloaded once and kept in the cache of `datasets`.

    Raises:
        TableError: there is no such data set or split, it cannot be fetched, or the library is not installed.
    """
    dataset = _load(path)
    reading.form = "Hugging Face data set"
    present = dataset.column_names
    places = find_columns(path, columns, present, reading)
    for table in dataset.with_format("arrow").iter(batch_size=batch_rows):
        found = {name: table.column(present[place]).combine_chunks() for name, place in places.items()}
        yield numbered(with_names(found, class_names(table.schema, places)), reading)


def hub_files(path: Path) -> list[tuple[str, Path]]:
    """The files in which `datasets` keeps a data set, with their names.

    Raises:
        TableError: as in `read_hub`.
    """
    files = [Path(each["filename"]) for each in _load(path).cache_files]
    return [(file.name, file) for file in files]


@lru_cache(maxsize=4)
def _load(path: Path) -> Any:
    try:
        import datasets
    except ImportError as error:
        cause = "needs the library datasets, which is not installed (pip install datasets)"
        raise TableError(path, cause) from error
    name, *rest = str(path).removeprefix(PREFIX).split(":")
    if len(rest) > 2 or not name:
        raise TableError(path, "is not of the form hf:NAME, hf:NAME:SPLIT or hf:NAME:CONFIGURATION:SPLIT")
    try:
        return datasets.load_dataset(name, rest[0] if len(rest) == 2 else None, split=rest[-1] if rest else "train")
    except Exception as error:  # the errors of its own, of the network and of each format have no common root
        raise TableError(path, f"cannot be loaded: {str(error).strip().splitlines()[0]}") from error

"""Opens text files in any common encoding, plain or gzipped, decoded as they are read."""

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from tables.encoding import find_encoding
from tables.errors import TableError
from tables.reading import Reading

GZIP = b"\x1f\x8b"
BEGINNING_CHARS = 1 << 16


@contextmanager
def open_bytes(path: Path) -> Iterator[io.BufferedReader | gzip.GzipFile]:
    """Opens a file and unpacks it if its first bytes are those of gzip, whatever its name.

    Raises:
        TableError: a damaged gzip file; also while it is read inside the `with` block.
        OSError: it cannot be read.
    """
    with path.open("rb") as plain:
        if not plain.peek(2).startswith(GZIP):
            yield plain
            return
        try:
            with gzip.open(plain) as file:
                yield file
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise TableError(path, f"not a valid gzip file: {error}") from error


@contextmanager
def open_text(path: Path, reading: Reading) -> Iterator[io.TextIOWrapper]:
    """Opens a text file, its lines ending in a line feed or, where it has none, in a carriage return.

    Args:
        path: the file.
        reading: is told the encoding and the bytes that do not fit it.

    Raises:
        TableError: it is not text or not a valid gzip file; also while it is read inside the `with` block.
        OSError: it cannot be read.
    """
    with open_bytes(path) as file:
        encoding = find_encoding(cast("BinaryIO", file))
    if encoding is None:
        raise TableError(path, "is not a text file; export it as CSV, JSON lines, Parquet or Excel (.xlsx)")
    reading.encoding, reading.replaced = encoding.name, encoding.damaged
    beginning = read_beginning(path, encoding.codec)
    newline = "\r" if "\r" in beginning and "\n" not in beginning else "\n"
    with open_bytes(path) as file:
        # A character may be cut off only where the file is: 'replace' never hides what was not counted before.
        yield io.TextIOWrapper(cast("BinaryIO", file), encoding.codec, errors="replace", newline=newline)


def read_beginning(path: Path, codec: str) -> str:
    """Decodes the beginning of a file, with its line ends as they are."""
    with open_bytes(path) as file, io.TextIOWrapper(cast("BinaryIO", file), codec, "replace", newline="") as text:
        return text.read(BEGINNING_CHARS)

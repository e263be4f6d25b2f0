"""Opens text files in any common encoding, plain or compressed (gzip, zstd), decoded as they are read."""

import gzip
import io
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from tables.encoding import find_encoding
from tables.errors import TableError
from tables.reading import Reading

if sys.version_info >= (3, 14):
    from compression import zstd as zstd
else:
    from backports import zstd as zstd

GZIP = b"\x1f\x8b"
ZSTD = b"\x28\xb5\x2f\xfd"
PACKED = {GZIP: "gzip", ZSTD: "zstd"}
"""First bytes of the compressions, and their names."""

BEGINNING_CHARS = 1 << 16


@contextmanager
def open_bytes(path: Path) -> Iterator[BinaryIO]:
    """Opens a file and unpacks it if its first bytes are those of gzip or zstd, whatever its name.

    Raises:
        TableError: a damaged compressed file; also while it is read inside the `with` block.
        OSError: it cannot be read.
    """
    with path.open("rb") as plain:
        packed = compression(plain.peek(4))
        if not packed:
            yield plain
            return
        try:
            with gzip.open(plain) if packed == "gzip" else zstd.open(plain) as file:
                yield cast("BinaryIO", file)
        except (EOFError, zlib.error, gzip.BadGzipFile, zstd.ZstdError) as error:
            raise TableError(path, f"not a valid {packed} file: {error}") from error


def compression(start: bytes) -> str:
    r"""The compression of a file that begins so; empty if there is none.

    >>> compression(b"\x1f\x8b\x08"), compression(b"text,label")
    ('gzip', '')
    """
    return next((name for mark, name in PACKED.items() if start.startswith(mark)), "")


@contextmanager
def open_text(path: Path, reading: Reading) -> Iterator[io.TextIOWrapper]:
    """Opens a text file, its lines ending in a line feed or, where it has none, in a carriage return.

    Args:
        path: the file.
        reading: is told the encoding and the bytes that do not fit it.

    Raises:
        TableError: it is not text or not a valid compressed file; also while it is read inside the `with` block.
        OSError: it cannot be read.
    """
    with open_bytes(path) as file:
        encoding = find_encoding(file)
    if encoding is None:
        raise TableError(path, "is not a text file; export it as CSV, JSON lines, Parquet or Excel (.xlsx)")
    reading.encoding, reading.replaced = encoding.name, encoding.damaged
    beginning = read_beginning(path, encoding.codec)
    newline = "\r" if "\r" in beginning and "\n" not in beginning else "\n"
    with open_bytes(path) as file:
        # A character may be cut off only where the file is: 'replace' never hides what was not counted before.
        yield io.TextIOWrapper(file, encoding.codec, errors="replace", newline=newline)


def read_beginning(path: Path, codec: str) -> str:
    """Decodes the beginning of a file, with its line ends as they are."""
    with open_bytes(path) as file, io.TextIOWrapper(file, codec, "replace", newline="") as text:
        return text.read(BEGINNING_CHARS)

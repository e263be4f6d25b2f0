"""Opens text files: UTF-8 with or without a byte-order mark, plain or gzipped, decoded as they are read."""

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tables.errors import TableError

UTF_16_MARKS = (b"\xff\xfe", b"\xfe\xff")


@contextmanager
def open_text(path: Path, *, newline: str) -> Iterator[io.TextIOWrapper]:
    """Opens a text file; `newline` is what ends a line, as in `open`.

    Raises:
        TableError: not UTF-8 or not a valid gzip file; also while the file is read inside the `with` block.
        OSError: it cannot be read.
    """
    try:
        with _open_bytes(path) as file:
            if file.peek(2).startswith(UTF_16_MARKS):
                raise TableError(path, "is UTF-16; save it as UTF-8 (iconv -f UTF-16 -t UTF-8)")
            yield io.TextIOWrapper(file, encoding="utf-8-sig", newline=newline)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise TableError(path, f"not a valid gzip file: {error}") from error
    except UnicodeDecodeError as error:
        raise TableError(path, _describe_bad_byte(path)) from error


def _open_bytes(path: Path) -> io.BufferedReader | gzip.GzipFile:
    return gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb")


def _describe_bad_byte(path: Path) -> str:
    """Finds the first line that is not UTF-8: the decoder knows no lines."""
    with _open_bytes(path) as file:
        line, byte = next(
            (number, byte) for number, line in enumerate(file, 1) if (byte := _bad_byte(line)) is not None
        )
    return f"line {line} is not UTF-8 (byte 0x{byte:02x}); save the file as UTF-8 (iconv -t UTF-8)"


def _bad_byte(line: bytes) -> int | None:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError as error:
        return line[error.start]
    return None

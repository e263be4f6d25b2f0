import gzip
from pathlib import Path

import pytest

from tables.text import zstd
from tests.tables.samples import error_of, values, write

ROWS = "text,label\na,x\n"


def test_files_may_be_gzipped_whatever_their_name(tmp_path: Path) -> None:
    for name in ("a.csv.gz", "a.csv", "a"):
        path = write(tmp_path / name, gzip.compress(b"\xef\xbb\xbf" + ROWS.encode()))
        assert values(path)["text"] == ["a"]


@pytest.mark.parametrize(
    "content",
    [gzip.compress(ROWS.encode(), mtime=0)[:-9], b"\x1f\x8b\x08\x00" + b"\xff" * 99],
    ids=["cut short", "no deflate stream"],
)
def test_damaged_gzip_files_are_refused(tmp_path: Path, content: bytes) -> None:
    assert "not a valid gzip file" in error_of(write(tmp_path / "b.csv.gz", content)).cause


def test_files_may_be_packed_by_zstd_in_several_frames(tmp_path: Path) -> None:
    packed = zstd.compress(b'text;label\n"two\nlines";x\n') + zstd.compress("schön;y\n".encode("cp1252"))
    for name in ("a.csv.zst", "a"):
        assert values(write(tmp_path / name, packed)) == {"text": ["two\nlines", "schön"], "label": ["x", "y"]}


@pytest.mark.parametrize(
    "content",
    [zstd.compress(ROWS.encode() * 99)[:-9], b"\x28\xb5\x2f\xfd" + b"\xff" * 99],
    ids=["cut short", "no frame"],
)
def test_damaged_zstd_files_are_refused(tmp_path: Path, content: bytes) -> None:
    assert "not a valid zstd file" in error_of(write(tmp_path / "b.csv.zst", content)).cause


@pytest.mark.parametrize("content", [b"\x89PNG\r\n\x1a\n" + b"\x00\x00\x00\x0dIHDR" * 99, bytes(range(256))])
def test_what_is_no_text_is_refused_with_the_remedy(tmp_path: Path, content: bytes) -> None:
    error = error_of(write(tmp_path / "a.csv", content))
    assert error.cause == "is not a text file; export it as CSV, JSON lines, Parquet or Excel (.xlsx)"

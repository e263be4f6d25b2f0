import gzip
from pathlib import Path

import pytest

from tests.tables.samples import error_of, values, write

ROWS = "text,label\na,x\n"


def test_files_may_be_gzipped(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv.gz", gzip.compress(b"\xef\xbb\xbf" + ROWS.encode()))
    assert values(path)["text"] == ["a"]


@pytest.mark.parametrize(
    "content",
    [ROWS.encode(), gzip.compress(ROWS.encode())[:-9], b"\x1f\x8b\x08\x00" + b"\xff" * 99],
    ids=["plain text", "cut short", "no deflate stream"],
)
def test_damaged_gzip_files_are_refused(tmp_path: Path, content: bytes) -> None:
    assert "not a valid gzip file" in error_of(write(tmp_path / "b.csv.gz", content)).cause


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz"])
def test_what_is_not_utf_8_is_named_with_its_line(tmp_path: Path, suffix: str) -> None:
    filler = "".join(f"text {number},é\n" for number in range(5000))  # more than is decoded at a time
    content = f"text,label\n{filler}".encode() + "café,x\n".encode("latin-1")
    path = write(tmp_path / f"a{suffix}", gzip.compress(content) if suffix.endswith(".gz") else content)
    assert "line 5002 is not UTF-8 (byte 0xe9); save the file as UTF-8" in error_of(path).cause


def test_utf_16_is_named(tmp_path: Path) -> None:
    assert "is UTF-16; save it as UTF-8" in error_of(write(tmp_path / "a.csv", ROWS.encode("utf-16"))).cause


def test_a_file_cut_off_inside_a_character(tmp_path: Path) -> None:
    assert "line 3 is not UTF-8 (byte 0xe5)" in error_of(write(tmp_path / "a.csv", ROWS.encode() + b"\xe5\x9b")).cause

import io

import pytest

from tables.encoding import CHUNK_BYTES, Encoding, find_encoding

CHINESE = "这家店的汤很好喝，下次还来。\n"
FRENCH = "L’été, le café est fermé à Noël\n"
RUSSIAN = "Еда вкусная, но дорого\n"


def found(content: bytes) -> Encoding | None:
    return find_encoding(io.BytesIO(content))


@pytest.mark.parametrize(
    ("text", "codec", "name"),
    [
        ("", "utf-8", "UTF-8"),
        ("plain\n", "ascii", "UTF-8"),
        (CHINESE, "utf-8-sig", "UTF-8 with a byte-order mark"),
        (CHINESE, "utf-16", "UTF-16"),
        (FRENCH, "utf-32", "UTF-32"),
        (FRENCH, "utf-16-le", "UTF-16"),
        (FRENCH, "utf-16-be", "UTF-16"),
        (CHINESE * 9, "gb18030", "GB 18030"),
        (CHINESE, "gb18030", "GB 18030"),
        (FRENCH * 9, "cp1252", "Windows-1252"),
        ("only 5 €\n", "cp1252", "Windows-1252"),
        (RUSSIAN, "cp1251", "Windows-1251"),
        ("この料理はとても美味しいです。\n" * 3, "cp932", "Shift JIS"),
        ("음식이 정말 맛있어요, 또 올게요\n" * 3, "cp949", "EUC-KR"),
        ("這家店的湯很好喝，下次還來。\n" * 3, "big5", "Big5"),
    ],
)
def test_encodings_are_found_by_the_bytes(text: str, codec: str, name: str) -> None:
    encoding = found(text.encode(codec))
    assert encoding is not None
    assert encoding.name == name
    assert text.encode(codec).decode(encoding.codec) == text
    assert encoding.damaged == 0


def test_all_of_the_file_is_looked_at() -> None:
    ascii_lines = b"plain\n" * (CHUNK_BYTES // 6 + 9)
    encoding = found(ascii_lines + FRENCH.encode("cp1252"))
    assert encoding is not None
    assert encoding.name == "Windows-1252"
    parted = "é".encode() * CHUNK_BYTES
    assert found(b"a" + parted) == Encoding("utf-8", "UTF-8")


@pytest.mark.parametrize(
    ("content", "damaged"),
    [
        (CHINESE.encode() * 9 + b"caf\xe9\n", 1),
        (CHINESE.encode()[:-3], 1),
        ("\ufffd \N{GRINNING FACE}".encode(), 0),
        ("\ufeffab".encode("utf-16-le") + b"\x00", 1),
        (FRENCH.encode("cp1252") * 9 + b"\x81", 1),
    ],
)
def test_damaged_bytes_are_counted(content: bytes, damaged: int) -> None:
    encoding = found(content)
    assert encoding is not None
    assert encoding.damaged == damaged


@pytest.mark.parametrize("content", [bytes(range(256)) * 40, b"\x00\x01\x02\x03" * 999, b"\x7fELF" + b"\0" * 99])
def test_what_is_no_text_is_told(content: bytes) -> None:
    assert found(content) is None


def test_a_stray_zero_byte_is_not_utf_16() -> None:
    assert found(b"text,label\n" * 999 + b"a\0b,x\n") == Encoding("utf-8", "UTF-8")
    in_each_row = "text,label\n" + "le café était fermé\0,x\n" * 9
    assert found(in_each_row.encode()) == Encoding("utf-8", "UTF-8"), "as a database leaves them"

"""Finds the encoding of a text file from its bytes.

A byte-order mark decides; else all of the file must be UTF-8, but for a few damaged bytes; else it is UTF-16 without a
mark, or one of the older encodings in `LEGACY`, told apart by charset-normalizer.
"""

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from charset_normalizer import CharsetMatch, from_bytes

MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig", "UTF-8 with a byte-order mark"),
    (codecs.BOM_UTF32_LE, "utf-32", "UTF-32"),
    (codecs.BOM_UTF32_BE, "utf-32", "UTF-32"),
    (codecs.BOM_UTF16_LE, "utf-16", "UTF-16"),
    (codecs.BOM_UTF16_BE, "utf-16", "UTF-16"),
)
LEGACY = {
    "gb18030": "GB 18030",
    "cp1252": "Windows-1252",
    "big5": "Big5",
    "cp932": "Shift JIS",
    "cp949": "EUC-KR",
    "cp1251": "Windows-1251",
}
"""Codec and name of the encodings that are looked for; more would be taken for one another (docs/design/0021)."""

SCRIPTS = {"cp1251": ("A", "\u0400", "\u04ff", 0.6), "cp949": ("\x80", "\uac00", "\ud7a3", 0.9)}
"""Of the letters from the first one on, the least share that lies between the second and the third."""

CHUNK_BYTES = 1 << 20
SAMPLE_BYTES = 1 << 16
DAMAGED = 0.2
"""A file is UTF-8 if at most this share of its characters beyond ASCII is damaged; of GB 18030 nine in ten would be."""

CONTROL = re.compile(r"[\x00-\x08\x0e-\x1b]")
NON_ASCII = re.compile(r"[^\x00-\x7f\ufffd]")


@dataclass(frozen=True, slots=True)
class Encoding:
    """An encoding, as `codec` for Python and as `name` for a person; `damaged` bytes of the file do not fit it."""

    codec: str
    name: str
    damaged: int = 0


def find_encoding(file: BinaryIO) -> Encoding | None:
    """Finds the encoding of a file that is open at its beginning; None if it is not text."""
    first = file.read(CHUNK_BYTES)
    for mark, codec, name in MARKS:
        if first.startswith(mark):
            return Encoding(codec, name, _damage(file, codec))
    if b"\0" in first[:SAMPLE_BYTES] and not _is_stray(first[:SAMPLE_BYTES]):
        wide = _without_mark(first[: SAMPLE_BYTES & ~3])
        return None if wide is None else Encoding(wide, "UTF-16", _damage(file, wide))
    valid, damaged, sample = _utf8(first, file)
    if damaged and damaged > DAMAGED * (valid + damaged):
        codec = _legacy(sample)
        return Encoding(codec, LEGACY[codec], _damage(file, codec))
    return Encoding("utf-8", "UTF-8", damaged)


def _damage(file: BinaryIO, codec: str) -> int:
    """Counts the places of a file that an encoding has no character for."""
    file.seek(0)
    decoder = codecs.getincrementaldecoder(codec)("replace")
    return sum(decoder.decode(chunk, last).count("\ufffd") for chunk, last in _chunks(file.read(CHUNK_BYTES), file))


def _utf8(first: bytes, file: BinaryIO) -> tuple[int, int, bytes]:
    """Counts characters beyond ASCII and damaged bytes, and samples lines that hold such bytes."""
    valid = damaged = 0
    sample = b""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    for chunk, last in _chunks(first, file):
        text = decoder.decode(chunk, last)
        if text.isascii():
            continue
        damaged += text.count("\ufffd") - chunk.count("\ufffd".encode())
        valid += len(NON_ASCII.findall(text))
        if len(sample) < SAMPLE_BYTES:
            high = b"\n".join(line for line in chunk.split(b"\n") if not line.isascii())
            sample += high[: SAMPLE_BYTES - len(sample)]
    return valid, max(0, damaged), sample


def _chunks(first: bytes, file: BinaryIO) -> Iterator[tuple[bytes, bool]]:
    chunk = first
    while chunk:
        following = file.read(CHUNK_BYTES)
        yield chunk, not following
        chunk = following


def _legacy(sample: bytes) -> str:
    best = from_bytes(sample, cp_isolation=list(LEGACY)).best()
    if best is None or best.encoding in ("gb18030", "cp1252") or not _is_likely(best):
        return "gb18030" if looks_like_gb18030(sample) else "cp1252"
    return best.encoding


def _is_likely(match: CharsetMatch) -> bool:
    """True unless an encoding makes letters of another script out of those of Windows-1252 or GB 18030.

    Each accented letter of Windows-1252 is a Cyrillic one of Windows-1251, and half of all Chinese ones are Korean.
    """
    if (script := SCRIPTS.get(match.encoding)) is None:
        return True
    lowest, first, last, share = script
    letters = [letter for letter in str(match) if letter.isalpha() and letter >= lowest]
    return sum(first <= letter <= last for letter in letters) >= share * len(letters)


def looks_like_gb18030(sample: bytes) -> bool:
    """Tells Chinese from Western text: nearly all pairs of bytes are among the common characters of GB 2312.

    In Windows-1252 an accented letter mostly stands before an ASCII letter, which makes no such pair.

    >>> looks_like_gb18030("很好看".encode("gb18030")), looks_like_gb18030("le café était".encode("cp1252"))
    (True, False)
    """
    common = other = place = 0
    while place < len(sample) - 1:
        lead, trail = sample[place], sample[place + 1]
        if lead < 0x80:
            place += 1
            continue
        is_common = 0xA1 <= lead <= 0xF7 and trail >= 0xA1
        common, other, place = common + is_common, other + (not is_common), place + 2
    return common > 0 and common >= 9 * other


def _is_stray(sample: bytes) -> bool:
    """True if zero bytes are too few to be halves of characters: very few, or some in what is UTF-8 beside them.

    Latin text has one in every character of UTF-16, and Chinese text in UTF-16 is no UTF-8.
    """
    zeros = sample.count(0)
    if zeros <= len(sample) // 1000:
        return True
    try:
        codecs.getincrementaldecoder("utf-8")().decode(sample)
    except UnicodeDecodeError:
        return False
    return zeros * 10 <= len(sample)


def _without_mark(sample: bytes) -> str | None:
    """UTF-16 by where the zero bytes stand: in text with line ends or Latin letters on one side only."""
    even, odd = sample[0::2].count(0), sample[1::2].count(0)
    codec = "utf-16-le" if odd > even else "utf-16-be"
    if min(even, odd) * 10 > max(even, odd):
        return None
    try:
        text = codecs.getincrementaldecoder(codec)().decode(sample)
    except UnicodeDecodeError:
        return None
    return None if CONTROL.search(text) else codec

"""Halves of surrogate pairs that JSON can write as escapes, and Unicode cannot.

Clients write them when they cut a text in the middle of an emoji. A body of nothing but escapes has millions of them,
so they are found by NumPy: 16 MiB take a tenth of a second at most, where a function called for each takes seconds.
"""

import numpy as np

_HEX = np.full(256, 16, np.uint8)
"""Value of each hexadecimal digit, by its byte; 16 for any other byte."""

for _digits in (b"0123456789abcdef", b"0123456789ABCDEF"):
    _HEX[list(_digits)] = range(16)

_ESCAPE_BYTES = 6
_REPLACEMENT = rb"\ufffd"


def replace_lone(body: bytes) -> bytes:
    r"""Writes U+FFFD for each escaped half without its other half; returns `body` itself if there is none.

    It is as long as what it replaces, so the byte offsets of error messages stay true.

    >>> replace_lone(rb'["\ud83d\ude00", "\ud83d!", "\\ud83d"]')
    b'["\\ud83d\\ude00", "\\ufffd!", "\\\\ud83d"]'
    """
    # The text after an escaped backslash is no escape.
    read = np.frombuffer(body.replace(rb"\\", b"\0\0"), np.uint8)
    starts = ((read[:-5] == ord("\\")) & (read[1:-4] == ord("u"))).nonzero()[0]
    starts = starts[_HEX[read[starts + 2]] == 0xD]
    second, third, fourth = (_HEX[read[starts + place]] for place in (3, 4, 5))
    halves = (second >= 0x8) & (second < 16) & (third < 16) & (fourth < 16)
    starts, high = starts[halves], second[halves] < 0xC
    pairs = high[:-1] & ~high[1:] & (np.diff(starts) == _ESCAPE_BYTES)
    lone = np.ones(len(starts), np.bool_)
    lone[:-1] &= ~pairs
    lone[1:] &= ~pairs
    if not lone.any():
        return body
    replaced = np.frombuffer(body, np.uint8).copy()
    for place, byte in enumerate(_REPLACEMENT):
        replaced[starts[lone] + place] = byte
    return replaced.tobytes()

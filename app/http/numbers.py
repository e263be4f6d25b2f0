"""Whole numbers in headers and queries: a client may write more digits than Python reads."""

MAX_DIGITS = 20
"""Digits that are read, zeros in front aside: a number with more is above every bound all the same."""


def whole_number(text: bytes) -> int | None:
    """Returns the number that decimal digits write, or None if there are no digits or anything else.

    >>> whole_number(b"0" * 5000 + b"42"), whole_number(b"-1")
    (42, None)
    """
    return int(text.lstrip(b"0")[:MAX_DIGITS] or b"0") if text.isdigit() else None

"""Return of freed memory to the operating system."""

import ctypes
from contextlib import suppress


def give_back() -> None:
    """Returns freed memory to the system; takes milliseconds.

    glibc keeps the room between blocks that stay: in a server that of a model or two, more at each reload, in a
    training what reading and looking at the texts took.
    """
    with suppress(OSError, AttributeError):  # another C library
        ctypes.CDLL(None).malloc_trim(0)

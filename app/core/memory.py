"""What the process does with memory that it no longer needs."""

import ctypes
import gc
from contextlib import suppress

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""Names of `mallopt` in glibc's malloc.h."""

LARGE_BYTES = 128 * 1024
"""glibc's own first value of both."""


def return_large() -> None:
    """Has the C library hand each large block back as soon as it is freed.

    glibc begins so, but raises its thresholds with the largest block that it has seen freed. After a burst of large
    bodies these then lie among small blocks that stay, and a burst's memory is held for good.
    """
    with suppress(OSError, AttributeError):  # another C library
        library = ctypes.CDLL(None)
        for parameter in (M_TRIM_THRESHOLD, M_MMAP_THRESHOLD):
            library.mallopt(parameter, LARGE_BYTES)


def settle() -> None:
    """For once what is needed for long has been loaded: the garbage collector will not look at it again.

    Else each full collection would look at all of PyTorch, a tenth of a second long. What is dropped later and has no
    part in a cycle is freed all the same; a classifier has none.
    """
    gc.collect()
    gc.freeze()


def give_back() -> None:
    """Hands what was freed to the system; takes milliseconds.

    glibc keeps the room of a model or two in pieces, more at each reload, and what loading took at the start.
    """
    with suppress(OSError, AttributeError):  # another C library
        ctypes.CDLL(None).malloc_trim(0)

"""What the process does with memory that it no longer needs."""

import ctypes
import gc
from contextlib import suppress


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

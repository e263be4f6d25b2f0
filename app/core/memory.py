"""Blocks that the C library returns at once, and less work for the garbage collector."""

import ctypes
import gc
from contextlib import suppress

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""Names of `mallopt` in glibc's malloc.h."""

LARGE_BYTES = 128 * 1024
"""glibc's own first value of both."""

YOUNG_OBJECTS = 10_000
"""New objects after which the collector looks for cycles among them. At Python's own 700 it looks several times a
request, and finds nothing."""


def return_large() -> None:
    """Makes the C library return each large block as soon as it is freed.

    glibc begins so, but raises its thresholds with the largest block that it has seen freed. After a burst of large
    bodies these then lie among small blocks that stay, and a burst's memory is held for good.
    """
    with suppress(OSError, AttributeError):  # another C library
        library = ctypes.CDLL(None)
        for parameter in (M_TRIM_THRESHOLD, M_MMAP_THRESHOLD):
            library.mallopt(parameter, LARGE_BYTES)


def settle() -> None:
    """Exempts all objects of now from garbage collection; call it once the long-lived ones are loaded.

    Else each full collection would visit all that was imported, which with PyTorch takes a tenth of a second. Objects
    that are dropped later and are part of no cycle, such as a classifier, are freed all the same.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, *gc.get_threshold()[1:])

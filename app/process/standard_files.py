"""Keeps the numbers of standard input, output and error from sockets. Imports next to nothing: it comes first."""

import os


def open_standard_files() -> None:
    """Opens the null device in place of each that is closed, here and for the processes that this one starts.

    The next socket would take the number, and with it what is written to that file; libuv ends the process for it.
    """
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:  # standard error, the last of the three
        os.set_inheritable(descriptor, True)
    os.close(descriptor)

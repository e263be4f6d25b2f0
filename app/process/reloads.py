"""Holds back SIGHUP, which asks for a reload, until there is a handler. Imports next to nothing: it comes first."""

import signal


def hold_reloads() -> None:
    """Blocks SIGHUP until a handler is there, in this process and in those that it starts."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})


def take_hangups() -> None:
    """Unblocks SIGHUP, which ends a process that has no handler for it, also if it has come meanwhile."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})

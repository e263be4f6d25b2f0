"""Copy of a server that has not begun, which becomes the process that explains.

A program of its own would import everything a second time. A copy shares what the server has imported until one of them
changes it, so that it can wait from the start. PyTorch is part of that if the server needs it too; else the copy
imports it for its first explanation. Only a process without threads of its own and without connections can be copied
safely.
"""

import os
import signal
import socket
import sys
import traceback
import warnings
from importlib import import_module
from typing import NoReturn

from app.config.sections import ExplainSettings
from app.core.memory import settle
from app.explain.worker import begin, explains

Forked = tuple["ForkedProcess", socket.socket]
"""The process that explains, and the socket to it."""

FIRST_OTHER_FILE = 3
"""After standard input, output and error."""


class ForkedProcess:
    """Handle of a forked process; those of its methods that `subprocess.Popen` has do the same."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._code: int | None = None

    def kill(self) -> None:
        """Sends SIGKILL, unless the process is known to have ended."""
        if self._code is None:
            os.kill(self.pid, signal.SIGKILL)

    def wait(self) -> int:
        """Waits for the end and returns the exit code; minus the number of a signal."""
        if self._code is None:
            self._code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self._code


def environment(threads: int) -> dict[str, str]:
    """Environment variables of the process, over those of the server."""
    # Threads of libraries that nobody told otherwise, and no GPU: its memory is the server's.
    return {"OMP_NUM_THREADS": str(threads), "TOKENIZERS_PARALLELISM": "false", "CUDA_VISIBLE_DEVICES": ""}


def fork_explainer(settings: ExplainSettings, log_level: str, *, with_torch: bool) -> Forked | None:
    """Copies this process into one that explains. Call it before anything starts a thread or an event loop.

    Args:
        settings: of explanations.
        log_level: least severe message that the process logs.
        with_torch: import PyTorch before, since the server needs it too.

    Returns:
        The process and the socket to it, or None if there are no explanations.
    """
    if not explains(settings):
        return None
    if with_torch:
        import_module("model.explain.explainer")
    settle()
    ours, theirs = socket.socketpair()
    sys.stdout.flush()
    sys.stderr.flush()  # else both would write what is in the buffers
    with warnings.catch_warnings():
        # Python warns of threads. There are only those of OpenBLAS, which ends them before a fork by itself.
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid == 0:
        _explain(theirs, settings.threads, log_level)
    theirs.close()
    return ForkedProcess(pid), ours


def _explain(sock: socket.socket, threads: int, log_level: str) -> NoReturn:
    """Serves in the copy, which must never return into the code of the server."""
    try:
        # No file of the server stays open here: its port must be free as soon as it has gone.
        os.dup2(sock.fileno(), 0)
        os.closerange(FIRST_OTHER_FILE, os.sysconf("SC_OPEN_MAX"))
        os.environ.update(environment(threads))
        begin(socket.socket(fileno=0), threads, log_level)
    except BaseException:  # whatever it is, the copy ends here
        traceback.print_exc()
    finally:
        os._exit(1)

"""Supervisor of several worker processes behind one socket, each with its own models: `serve --workers`.

The parent holds the socket and computes nothing. It starts the workers, replaces those that die, passes signals on, and
leaves when they have left. A worker that replaces another one sends it SIGHUP, so that all serve what the folders hold
now. A connection goes to the worker that has the fewest (`app.process.acceptor`); one that dies loses only those that
it had taken. SIGHUP is blocked in the parent (`app.process.reloads.hold_reloads`), which asks for it, and so in each
worker until that has a handler: it ends no process that has none yet.
"""

import logging
import multiprocessing
import os
import signal
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing.connection import wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from types import FrameType

from app.core.shared import SharedFolder, told_where
from app.process.acceptor import AWAY
from app.process.kept_folder import KeptFolder
from app.telemetry.sharing import write_restarts

logger = logging.getLogger(__name__)

POLL_S = 0.2
RESTART_DELAY_S = 1.0
"""A worker that dies young is replaced no sooner than this after its start, and where no process can be started, this
long passes before the next attempt."""

Work = Callable[[socket.socket, SharedFolder, int, bool], None]
"""Serves in a process of its own: given the socket, the shared folder, the id of the parent, which may be gone by then,
and True if it replaces another worker."""


@dataclass
class _Worker:
    """A process, or what is left of one that has ended until another takes its place.

    Attributes:
        started: time of its start, or of the last attempt to replace it.
        ended: its end was seen.
        hindrance: what has kept another one from taking its place.
    """

    process: SpawnProcess
    started: float = field(default_factory=time.monotonic)
    ended: bool = False
    hindrance: str = ""


@contextmanager
def _woken_by_signals() -> Iterator[socket.socket]:
    """Yields a socket that can be read once a signal has come: waiting for it misses none."""
    reader, writer = socket.socketpair()
    with reader, writer:
        reader.setblocking(False)
        writer.setblocking(False)
        before = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
        try:
            yield reader
        finally:
            signal.set_wakeup_fd(before)


class Supervisor:
    """Parent process that starts and replaces workers.

    Args:
        num_workers: processes to keep.
        sock: that they share.
        work: function of a worker; can be pickled. Leaves with exit code 2 if it can never work.
    """

    def __init__(self, num_workers: int, sock: socket.socket, work: Work) -> None:
        self._num_workers = num_workers
        self._sock = sock
        self._work = work
        self._context = multiprocessing.get_context("spawn")
        with told_where():
            self._loaded = self._context.Array("b", num_workers, lock=False)
            self._connections = self._context.Array("i", [AWAY] * num_workers, lock=False)
        self._workers: dict[int, _Worker] = {}
        self._signals: list[signal.Signals] = []
        self._leaving = False
        self._restarts = 0
        self._told_restarts = 0
        self._path = Path()  # of the folder that they share, while there are workers
        self._kept = KeptFolder(self._path)

    def run(self) -> int:
        """Runs until a signal comes, or until a worker ends that could never work.

        Returns:
            Exit code: 0, that of such a worker, or 1 if a worker ended badly.
        """
        with told_where():
            folder = tempfile.TemporaryDirectory(prefix="sluice-")
        for handled in (signal.SIGINT, signal.SIGTERM):
            signal.signal(handled, self._note)
        with folder as name, _woken_by_signals() as woken:
            self._path = Path(name)
            self._kept = KeptFolder(self._path)
            for index in range(self._num_workers):
                self._start(index, replaces=False)
            code = 0
            while self._workers:
                self._share()
                running = (worker for worker in self._workers.values() if not worker.ended)
                wait([woken, *(worker.process.sentinel for worker in running)], timeout=POLL_S)
                with suppress(BlockingIOError):
                    woken.recv(64)
                self._pass_on()
                for index, worker in list(self._workers.items()):
                    if worker.process.exitcode is not None:
                        code = max(code, self._gone(index, worker))
            return code

    def _share(self) -> None:
        """Sees that the folder is there with all that belongs in it, for the next worker and the next scrape."""
        self._kept.look()
        if self._told_restarts != self._restarts and write_restarts(self._folder(0), self._restarts):
            self._told_restarts = self._restarts

    def _start(self, index: int, *, replaces: bool) -> None:
        process = self._context.Process(
            target=self._work,
            args=(self._sock, self._folder(index), os.getpid(), replaces),
            name=f"worker-{index}",
            daemon=True,  # should this process end by an error, they end too
        )
        process.start()
        self._workers[index] = _Worker(process)

    def _folder(self, index: int) -> SharedFolder:
        return SharedFolder(self._path, self._loaded, self._connections, index)

    def _gone(self, index: int, worker: _Worker) -> int:
        """Replaces a worker that has ended, or lets it go; returns the exit code for the whole."""
        code = worker.process.exitcode or 0
        self._connections[index] = AWAY
        if self._leaving:
            del self._workers[index]
            # One that was still starting had no handler yet: the signal itself ended it.
            return 0 if -code in (0, signal.SIGINT, signal.SIGTERM) else 1
        if not self._loaded[index]:
            # It has never worked: neither will another one.
            del self._workers[index]
            self._leave(signal.SIGTERM)
            return code or 1
        worker.ended = True
        if time.monotonic() - worker.started >= RESTART_DELAY_S:
            self._replace(index, worker, code)
        return 0

    def _replace(self, index: int, worker: _Worker, code: int) -> None:
        """Starts another worker in place of one; where the system has no room for it now, the others serve on."""
        self._share()
        try:
            self._start(index, replaces=True)
        except OSError as error:
            worker.started = time.monotonic()
            hindrance, worker.hindrance = worker.hindrance, error.strerror or str(error)
            if worker.hindrance != hindrance:
                extra = {"worker": index, "code": code, "cause": worker.hindrance}
                logger.error("a worker died and cannot be replaced; trying again each second", extra=extra)
        else:
            logger.error("a worker died and is replaced", extra={"worker": index, "code": code})
            self._restarts += 1

    def _note(self, number: int, _frame: FrameType | None) -> None:
        """Takes a signal, which may come while a worker is being started: that is finished first."""
        self._signals.append(signal.Signals(number))

    def _pass_on(self) -> None:
        """Sends the workers the signals that have come."""
        while self._signals:
            self._leave(self._signals.pop(0))
        if signal.SIGHUP in signal.sigpending():
            signal.sigwait({signal.SIGHUP})
            for worker in self._workers.values():
                _send(worker, signal.SIGHUP)

    def _leave(self, number: signal.Signals) -> None:
        self._leaving = True
        self._sock.close()  # the workers have it too; when they stop accepting, nobody is to hold connections in it
        for index, worker in self._workers.items():
            # Ctrl-C would be an exception somewhere in the start of one that has no handler yet and accepts nothing.
            _send(worker, signal.SIGTERM if self._connections[index] == AWAY else number)


def _send(worker: _Worker, number: signal.Signals) -> None:
    if worker.process.pid is not None and worker.process.exitcode is None:
        os.kill(worker.process.pid, number)

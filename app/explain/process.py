"""Handle of the process that explains: takes over the one that was forked, and replaces it when it dies.

The process shares no interpreter lock and no thread with the server, so that `/predict` does not notice it. The first
one is a copy of the server (`app.explain.fork`). Later ones are started as a program, since a server that has threads
and connections cannot be copied. Each worker of the server has one of its own.
"""

import asyncio
import logging
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from app.core.errors import NotReady
from app.explain.fork import Forked, ForkedProcess, environment
from app.explain.wire import Ask, Reply, pack, receive

T = TypeVar("T")

logger = logging.getLogger(__name__)

COMMAND = (sys.executable, "-m", "app.explain.worker")
ROOT = Path(__file__).resolve().parents[2]

RETRY_AFTER_S = 2
"""Time in which a process that died is replaced, if a processor is free."""


@dataclass(frozen=True, slots=True)
class _Running:
    process: "subprocess.Popen[bytes] | ForkedProcess"
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter


class ExplainProcess:
    """One process that explains. For the event loop only, and for one caller of `ask` at a time.

    Args:
        threads: of its computation.
        stuck_after_s: time for one text after which the process is replaced.
        log_level: least severe message that it logs, to the log of the server.
        lost: called when the process dies while a request waits for it.
        forked: process to begin with, and the socket to it; without one a program is started when it is needed.

    Attributes:
        deaths: number of such events.
    """

    def __init__(
        self,
        *,
        threads: int,
        stuck_after_s: float,
        log_level: str,
        lost: Callable[[], None],
        forked: Forked | None = None,
    ) -> None:
        self.deaths = 0
        self._arguments = (str(threads), log_level)
        self._environ = environment(threads)
        self._lost = lost
        self._forked = forked
        self._stuck_after_s = stuck_after_s
        self._running: _Running | None = None
        self._closed = False

    @property
    def pid(self) -> int | None:
        """Process id, once a request has reached the process and while it runs."""
        return None if self._running is None else self._running.process.pid

    async def ready(self) -> None:
        """Starts the process unless it runs, which takes a few seconds if it was not forked.

        Raises:
            NotReady: the process could not be started.
        """
        if self._running is None:
            await self._guarded(self._start())

    async def ask(self, ask: Ask) -> tuple[Reply, bytes]:
        """Asks the running process and waits for its answer. Do not cancel it: the answer would come all the same.

        Raises:
            NotReady: the process died before it answered.
        """
        return await self._guarded(self._ask(ask))

    async def end(self) -> int | None:
        """Ends the process and returns its exit code; `ready` starts another one."""
        running, self._running = self._running, None
        if running is None:
            return None
        running.writer.close()
        running.process.kill()  # it has nothing to clean up
        return await asyncio.to_thread(running.process.wait)

    async def close(self) -> None:
        """Ends the process for good."""
        self._closed = True
        if self._forked is not None:  # nobody has asked it
            process, sock = self._forked
            self._forked = None
            sock.close()
            process.kill()
            await asyncio.to_thread(process.wait)
        await self.end()

    async def _guarded(self, work: Coroutine[Any, Any, T]) -> T:
        try:
            return await work
        except (OSError, EOFError) as error:
            code = await self.end()
            self.deaths += 1
            if not self._closed:
                self._lost()
                extra = {"code": code, "cause": type(error).__name__}
                logger.error("the process that explains died and is replaced", extra=extra)
            raise died() from None

    async def _ask(self, ask: Ask) -> tuple[Reply, bytes]:
        if self._running is None:
            raise EOFError("it was ended meanwhile")
        async with asyncio.timeout(self._stuck_after_s):
            self._running.writer.write(pack(ask))
            await self._running.writer.drain()
            return await receive(self._running.reader, Reply)

    async def _start(self) -> None:
        process: subprocess.Popen[bytes] | ForkedProcess
        if self._forked is not None:
            (process, sock), self._forked = self._forked, None
        else:
            # In a thread: the system takes a while to make a process of one as large as this.
            process, sock = await asyncio.to_thread(self._spawn)
        reader, writer = await asyncio.open_unix_connection(sock=sock)
        self._running = _Running(process, reader, writer)
        if self._closed:
            raise EOFError("the server is leaving")
        await receive(reader, Reply)
        logger.info("the process that explains has begun")

    def _spawn(self) -> "tuple[subprocess.Popen[bytes], socket.socket]":
        command = [*COMMAND, *self._arguments]
        environ = os.environ | self._environ
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                process = subprocess.Popen(command, stdin=theirs.fileno(), cwd=ROOT, env=environ)  # noqa: S603  # nothing of a client
        except BaseException:
            ours.close()
            raise
        return process, ours


def died() -> NotReady:
    """Error for the requests that waited for a process that died."""
    return NotReady("The process that explains died and is being replaced.", retry_after_s=RETRY_AFTER_S)

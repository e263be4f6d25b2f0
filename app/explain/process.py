"""Handle of the process that explains: starts it when needed, and replaces it when it dies.

The process shares no interpreter lock, thread or memory with the server, so that `/predict` does not notice it. It is
started as a program and not forked, so that it inherits no socket; each worker of the server has one of its own.
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
from app.explain.wire import Ask, Reply, pack, receive

T = TypeVar("T")

logger = logging.getLogger(__name__)

COMMAND = (sys.executable, "-m", "app.explain.worker")
ROOT = Path(__file__).resolve().parents[2]

RETRY_AFTER_S = 2
"""Time in which a process that died is replaced, if a processor is free."""


@dataclass(frozen=True, slots=True)
class _Running:
    process: "subprocess.Popen[bytes]"
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter


class ExplainProcess:
    """One process that explains. For the event loop only, and for one caller of `ask` at a time.

    Args:
        threads: of its computation.
        stuck_after_s: time for one text after which the process is replaced.
        log_level: least severe message that it logs, to the log of the server.
        lost: called when the process dies while a request waits for it.

    Attributes:
        deaths: number of such events.
    """

    def __init__(self, *, threads: int, stuck_after_s: float, log_level: str, lost: Callable[[], None]) -> None:
        self.deaths = 0
        self._arguments = (str(threads), log_level)
        # Threads of libraries that nobody told otherwise, and no GPU: its memory is the server's.
        self._environ = {"OMP_NUM_THREADS": str(threads), "TOKENIZERS_PARALLELISM": "false", "CUDA_VISIBLE_DEVICES": ""}
        self._lost = lost
        self._stuck_after_s = stuck_after_s
        self._running: _Running | None = None
        self._closed = False

    @property
    def pid(self) -> int | None:
        """Process id, while the process runs."""
        return None if self._running is None else self._running.process.pid

    async def ready(self) -> None:
        """Starts the process unless it runs; a start takes a few seconds.

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
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                # In a thread: the system takes a while to make a process of one as large as this.
                process = await asyncio.to_thread(self._spawn, theirs)
            reader, writer = await asyncio.open_unix_connection(sock=ours)
        except BaseException:
            ours.close()
            raise
        self._running = _Running(process, reader, writer)
        if self._closed:
            raise EOFError("the server is leaving")
        await receive(reader, Reply)
        logger.info("the process that explains has begun")

    def _spawn(self, stdin: socket.socket) -> "subprocess.Popen[bytes]":
        command = [*COMMAND, *self._arguments]
        environ = os.environ | self._environ
        return subprocess.Popen(command, stdin=stdin.fileno(), cwd=ROOT, env=environ)  # noqa: S603  # nothing of a client


def died() -> NotReady:
    """Error for the requests that waited for a process that died."""
    return NotReady("The process that explains died and is being replaced.", retry_after_s=RETRY_AFTER_S)

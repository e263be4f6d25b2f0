"""The process that explains, as the server sees it: started when it is needed, replaced when it dies.

No lock of the interpreter, no thread and no memory of it is the server's, so that `/predict` does not notice it. It is
started as a program and not forked: it has no socket of the server, and each worker, itself such a child, may have one.
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
"""When a process that died has been replaced, if a processor is free."""


@dataclass(frozen=True, slots=True)
class _Running:
    process: "subprocess.Popen[bytes]"
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter


class ExplainProcess:
    """One process. For the event loop only, and for one caller of `ask` at a time.

    Args:
        threads: that it computes with.
        stuck_after_s: it is replaced if it takes longer over one text.
        log_level: least severe message that it logs, to where the server logs.
        lost: told when it dies while somebody waits for it.

    Attributes:
        deaths: how often that happened.
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
        """Of the process, while there is one."""
        return None if self._running is None else self._running.process.pid

    async def ready(self) -> None:
        """Starts it unless it runs; takes a few seconds then.

        Raises:
            NotReady: it could not be started.
        """
        if self._running is None:
            await self._guarded(self._start())

    async def ask(self, ask: Ask) -> tuple[Reply, bytes]:
        """The answer of a process that is ready. Do not cancel it: the answer would come all the same.

        Raises:
            NotReady: the process died over it.
        """
        return await self._guarded(self._ask(ask))

    async def end(self) -> int | None:
        """Ends it, and its exit code; the next `ask` starts another one."""
        running, self._running = self._running, None
        if running is None:
            return None
        running.writer.close()
        running.process.kill()  # it has nothing to put in order
        return await asyncio.to_thread(running.process.wait)

    async def close(self) -> None:
        """Ends it for good."""
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
    """What those are told who waited for it."""
    return NotReady("The process that explains died and is being replaced.", retry_after_s=RETRY_AFTER_S)

"""Clients that leave before their answer is ready: their work is cancelled."""

import asyncio
from typing import TypeVar

from starlette.types import Message, Receive

from app.core.errors import ClientGone
from app.core.timers import Timers

WATCH_AFTER_S = 0.01
"""Delay before a connection is watched: most answers are ready sooner, and watching costs a task."""

T = TypeVar("T")

_waiting = Timers()
"""Those that are not watched yet."""


async def next_part(receive: Receive) -> Message:
    """Returns the next part of the request's body.

    Raises:
        ClientGone: the client left before the end.
    """
    message = await receive()
    if message["type"] == "http.disconnect":
        raise ClientGone("The client left before its request was complete.")
    return message


async def until_client_leaves(work: "asyncio.Future[T]", receive: Receive) -> T:
    """Waits for `work` and returns its result; cancels it when the client leaves or the caller is cancelled.

    Call it after the whole body has been read.

    Raises:
        ClientGone: the client left first.
        Exception: whatever `work` raises.
    """
    watcher = _Watcher(work, receive)
    try:
        return await work
    except asyncio.CancelledError:
        if watcher.client_left:
            raise ClientGone from None
        raise
    finally:
        watcher.stop()


class _Watcher:
    """Cancels work when the client leaves."""

    __slots__ = ("_loop", "_receive", "_task", "_work", "client_left")

    def __init__(self, work: "asyncio.Future[T]", receive: Receive) -> None:
        self.client_left = False
        self._loop = work.get_loop()
        self._work = work
        self._receive = receive
        self._task: asyncio.Task[None] | None = None
        _waiting.start(self, WATCH_AFTER_S, self._start, self._loop)

    def stop(self) -> None:
        """Ends the watch of the connection."""
        if self._task is None:
            _waiting.cancel(self, WATCH_AFTER_S)
        else:
            self._task.cancel()

    def _start(self) -> None:
        self._task = self._loop.create_task(self._watch())

    async def _watch(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        # False if the work is done already: then its answer is sent, to nobody.
        self.client_left = self._work.cancel()

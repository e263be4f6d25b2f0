"""Clients that leave before their answer is ready: their work is cancelled."""

import asyncio
from typing import TypeVar

from starlette.types import Message, Receive

from app.core.errors import ClientGone

WATCH_AFTER_S = 0.01
"""Delay before a connection is watched: most answers are ready sooner, and watching costs a task."""

T = TypeVar("T")


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

    __slots__ = ("_receive", "_task", "_timer", "_work", "client_left")

    def __init__(self, work: "asyncio.Future[T]", receive: Receive) -> None:
        self.client_left = False
        self._work = work
        self._receive = receive
        self._task: asyncio.Task[None] | None = None
        self._timer = asyncio.get_running_loop().call_later(WATCH_AFTER_S, self._start)

    def stop(self) -> None:
        """Ends the watch of the connection."""
        self._timer.cancel()
        if self._task is not None:
            self._task.cancel()

    def _start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._watch())

    async def _watch(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        # False if the work is done already: then its answer is sent, to nobody.
        self.client_left = self._work.cancel()

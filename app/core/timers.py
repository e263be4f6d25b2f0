"""Timers that are nearly always cancelled: one timer of the event loop stands for all that have the same delay.

A timer of uvloop costs 1 to 2 µs, and a request has three: its deadline, the watch for its client, and the time until
the next request. Here each is an entry of a dictionary.
"""

import asyncio
from collections.abc import Callable, Hashable

SLACK_S = 0.001
"""The clock of the event loop counts milliseconds: what is due within one is due."""


class Timers:
    """Timers by key and delay.

    >>> async def example():
    ...     timers, loop = Timers(), asyncio.get_running_loop()
    ...     timers.start("a", 0.01, lambda: print("a is due"), loop)
    ...     timers.start("b", 0.01, lambda: print("b is due"), loop)
    ...     timers.cancel("a", 0.01)
    ...     await asyncio.sleep(0.05)
    >>> asyncio.run(example())
    b is due
    """

    def __init__(self) -> None:
        self._queues: dict[float, _Queue] = {}

    def start(
        self, key: Hashable, delay_s: float, callback: Callable[[], None], loop: asyncio.AbstractEventLoop
    ) -> None:
        """Calls `callback` after `delay_s` seconds, in place of an earlier timer of this key and delay.

        The running event loop is given: to find it costs a system call up to Python 3.11.
        """
        queue = self._queues.get(delay_s)
        if queue is None or queue.loop is not loop:
            queue = self._queues[delay_s] = _Queue(loop, delay_s, self._queues)
        queue.start(key, callback)

    def cancel(self, key: Hashable, delay_s: float) -> None:
        """Forgets the timer of this key and delay, if there is one."""
        queue = self._queues.get(delay_s)
        if queue is not None:
            queue.due.pop(key, None)


class _Queue:
    """Timers of one delay, which are due in the order in which they were started.

    Args:
        loop: whose timer fires.
        delay_s: of all.
        queues: that it leaves when it has none left.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, delay_s: float, queues: "dict[float, _Queue]") -> None:
        self.loop = loop
        self.due: dict[Hashable, tuple[float, Callable[[], None]]] = {}
        self._delay_s = delay_s
        self._queues = queues
        self._timer: asyncio.TimerHandle | None = None

    def start(self, key: Hashable, callback: Callable[[], None]) -> None:
        self.due.pop(key, None)  # else it would keep the place of the earlier one
        self.due[key] = (self.loop.time() + self._delay_s, callback)
        if self._timer is None:
            self._arm()

    def _arm(self) -> None:
        """Waits for the first one, unless a callback did so, or leaves if there is none."""
        if self._timer is None and self.due:
            first, _ = next(iter(self.due.values()))
            self._timer = self.loop.call_later(first - self.loop.time(), self._fire)
        elif not self.due and self._queues.get(self._delay_s) is self:
            del self._queues[self._delay_s]

    def _fire(self) -> None:
        self._timer = None
        now = self.loop.time() + SLACK_S
        while self.due:
            key, (due, callback) = next(iter(self.due.items()))
            if due > now:
                break
            del self.due[key]
            callback()
        self._arm()

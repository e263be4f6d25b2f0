"""Supervision of the device thread: it is replaced when it dies, and given up when that does not help."""

import asyncio
import logging
import threading
from collections.abc import Callable

from app.core.errors import NotReady

CLOSE_TIMEOUT_S = 5.0

logger = logging.getLogger(__name__)


class SupervisedThread:
    """Thread that another one follows when it dies. All methods but `post` are for the event loop.

    Args:
        run: work of the thread; ends when there will be no more.
        fail: called with the error of everything under way when the thread died.
        restarted: called for each thread that follows another.

    Attributes:
        state: `stopped` before `start` and after `close`, `running`, `restarting` for a moment after a death, `broken`
            for good when restarts did not help.
        restarts: number of threads that died and were replaced.
        max_restarts: deaths in a row, without a success in between, after which it is given up.
        restart_delay_s: time between a death and the next thread.
    """

    def __init__(
        self,
        run: Callable[[], None],
        *,
        fail: Callable[[Exception], None],
        restarted: Callable[[], None],
    ) -> None:
        self.state = "stopped"
        self.restarts = 0
        self.max_restarts = 5
        self.restart_delay_s = 0.1
        self._run = run
        self._fail = fail
        self._restarted = restarted
        self._deaths_in_a_row = 0
        self._thread: threading.Thread | None = None

    @property
    def given_up(self) -> bool:
        """True if no thread will work any more."""
        return self.state in ("stopped", "broken")

    def start(self) -> None:
        """Starts the first thread."""
        self._loop = asyncio.get_running_loop()
        self._begin()

    async def close(self) -> None:
        """Fails everything under way and waits a bounded time for the thread."""
        self.state = "stopped"
        self._fail(NotReady("The server is shutting down."))
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join, CLOSE_TIMEOUT_S)
        # Else this and its owner would hold each other, and a replaced classifier would stay in memory.
        self._run = self._restarted = lambda: None
        self._fail = lambda _error: None

    def give_up(self) -> None:
        """Lets no other thread follow."""
        self.state = "broken"
        self._fail(NotReady("The model is broken."))

    def note_success(self) -> None:
        """Forgets the deaths before: the thread works."""
        self._deaths_in_a_row = 0

    def post(self, callback: Callable[..., None], *arguments: object) -> None:
        """Calls something on the event loop, from any thread."""
        try:
            self._loop.call_soon_threadsafe(callback, *arguments)
        except RuntimeError:
            logger.debug("the event loop is closed; nobody waits for this any more")

    def _begin(self) -> None:
        self.state = "running"
        # A daemon: a batch that never returns must not keep the process from leaving.
        self._thread = threading.Thread(target=self._supervised, name="device", daemon=True)
        self._thread.start()

    def _supervised(self) -> None:
        try:
            self._run()
        except BaseException as error:  # of any kind: somebody is waiting for an answer
            self.post(self._died, error)

    def _died(self, error: BaseException) -> None:
        logger.critical("the device thread died", exc_info=error)
        if self.state == "stopped":
            return
        self._fail(NotReady("The worker that computes died and is being replaced.", retry_after_s=1))
        self._deaths_in_a_row += 1
        if self._deaths_in_a_row > self.max_restarts:
            self.give_up()
        else:
            self.state = "restarting"
            self._loop.call_later(self.restart_delay_s, self._restart)

    def _restart(self) -> None:
        if self.state == "restarting":
            self.restarts += 1
            self._restarted()
            self._begin()

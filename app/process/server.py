"""The server process around the application: socket, signals, drain and exit codes.

`UVICORN` names all private parts of uvicorn that this folder uses. A test checks that they are there and that no other
is used, and pyproject.toml pins uvicorn's minor version.
"""

import asyncio
import os
import signal
import socket
import sys
import time
from types import FrameType

import uvicorn
from fastapi import FastAPI

from app.core.memory import return_large
from app.core.shared import SharedFolder
from app.process.accept_queue import AcceptQueue
from app.process.acceptor import Acceptor
from app.process.concurrency import ConcurrencyLimit
from app.process.connection import Connection
from app.process.connections import Connections
from app.process.service import Service

UVICORN = {
    "Server": (
        *("server_state", "should_exit", "startup", "on_tick", "shutdown", "handle_exit"),
        *("config", "lifespan"),
    ),
    "ServerState": ("connections", "default_headers"),
}
"""Attributes of uvicorn's classes that are used here and that its documentation does not promise. Its connections are
ours: it makes them, calls `shutdown` of each, and waits for the `connections` and `tasks` of `ServerState`."""

TICKS_PER_SWEEP = 10
"""Ticks, ten a second, after which the connections are checked."""

LAST_WORDS_S = 0.2
"""Time for the requests of accepted connections to arrive, once no more are accepted."""

SWITCH_S = 0.0005
"""Time for which a thread keeps the interpreter though another waits for it. At Python's own 5 ms the device thread
waited until the event loop had rendered all answers of a batch, and the processors with it."""

TICKS_PER_SHARE = 10
"""Ticks, ten a second, after which a worker shares its counts with the others."""


class Server(uvicorn.Server):
    """uvicorn, except that SIGTERM first makes the server unready and lets it serve a moment longer.

    uvicorn stops accepting at once, and a balancer that has not noticed yet gets refused connections. It also leaves
    when no model could be loaded.

    Args:
        app: what `create_app` made.
        service: behind it.
        sock: that it listens on.
        folder: what it shares with other processes that listen there.
        parent: id of the process that replaces this one when it leaves, if there is one: it then also leaves when it
            is broken, or when that process is gone.
        replaces: it takes the place of another worker of that process.
    """

    def __init__(
        self,
        app: FastAPI,
        service: Service,
        sock: socket.socket,
        *,
        folder: SharedFolder | None = None,
        parent: int | None = None,
        replaces: bool = False,
    ) -> None:
        limits = service.settings.connections
        cross_origin = bool(service.settings.network.cors_origin)
        requests = ConcurrencyLimit(limits.max_concurrent_requests, cross_origin=cross_origin)
        requests.watch(app.state.bounded, service.metrics.requests.refused)
        config = uvicorn.Config(
            app,
            loop="uvloop",
            http=Connection,
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=limits.keep_alive_s,
            timeout_graceful_shutdown=limits.drain_timeout_s,
        )
        super().__init__(config)
        max_body_bytes = service.settings.requests.max_body_bytes
        self.server_state = self._connections = Connections(limits, max_body_bytes, service.metrics, requests)
        self._sock = sock
        counts, index = ([0], 0) if folder is None else (folder.connections, folder.index)
        num_open = self._connections.connections.__len__
        self._acceptor = self._connections.acceptor = Acceptor(sock, self._connection, num_open, counts, index)
        self._connections.queue = AcceptQueue(sock, requests, share=len(counts), connect=self._acceptor.connect)
        self._registry = service.registry
        self._deployer = service.deployer
        self._metrics = service.metrics
        self._drain_delay_s = limits.drain_delay_s
        self._leave_at = float("inf")
        self._parent = parent
        self._replaces = replaces
        self._reload = False

    def _connection(self) -> Connection:
        """A protocol for one connection, as uvicorn makes it for those that it accepts itself."""
        return Connection(config=self.config, server_state=self.server_state, app_state=self.lifespan.state)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Drains at the first signal, without the delay at Ctrl-C; a second one ends the process at once."""
        self._registry.draining = True
        self._leave_at = time.monotonic() + (0.0 if sig == signal.SIGINT else self._drain_delay_s)
        for handled in (signal.SIGINT, signal.SIGTERM):
            signal.signal(handled, signal.SIG_DFL)

    def handle_reload(self, _sig: int, _frame: FrameType | None) -> None:
        """Lets the next tick reload the models."""
        self._reload = True

    async def on_tick(self, counter: int) -> bool:
        """Leaves, reloads, sweeps and shares counts when it is time; called ten times a second."""
        if self._registry.failure is not None or time.monotonic() >= self._leave_at:
            self.should_exit = True
        if counter % TICKS_PER_SWEEP == 0:
            await self._connections.sweep()
        if self._reload:
            self._reload = False
            self._deployer.reload()
        if self._parent is not None:
            if not self._registry.live or os.getppid() != self._parent:
                self.should_exit = True
            if counter % TICKS_PER_SHARE == 0:
                self._metrics.share(self._metrics.snapshot())
        return await super().on_tick(counter)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Starts the application, and then accepts connections; uvicorn has no socket of its own."""
        await super().startup(sockets or [])
        self._acceptor.start()
        if self._replaces and self._registry.failure is None:
            self._let_all_reload()

    def _let_all_reload(self) -> None:
        """Asks the parent for a reload in all workers: this one has loaded what the folders hold now."""
        if self._parent is not None and os.getppid() == self._parent:
            os.kill(self._parent, signal.SIGHUP)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Accepts no more connections, answers the requests that are there, and leaves.

        uvicorn alone would cut the connections whose request it has not read yet.
        """
        self._acceptor.close()
        self._sock.close()
        await asyncio.sleep(LAST_WORDS_S)
        await super().shutdown(sockets)


def run(
    app: FastAPI,
    service: Service,
    sock: socket.socket,
    *,
    folder: SharedFolder | None = None,
    parent: int | None = None,
    replaces: bool = False,
) -> None:
    """Serves until a signal comes or loading fails; what is in flight is finished within the drain timeout.

    A SIGHUP reloads the models, one that was held back too.

    Raises:
        Exception: raised by a model that could not be loaded.
    """
    return_large()
    sys.setswitchinterval(SWITCH_S)
    server = Server(app, service, sock, folder=folder, parent=parent, replaces=replaces)
    signal.signal(signal.SIGHUP, server.handle_reload)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})
    server.run()
    if service.registry.failure is not None:
        raise service.registry.failure

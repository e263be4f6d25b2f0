"""A real server process on a free port, for as long as a measurement lasts."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx

START_TIMEOUT_S = 120.0
STOP_TIMEOUT_S = 30.0
LOOK_EVERY_S = 0.02

Command = Callable[[int], Sequence[str]]
"""The command line of a server, by the port that it is to listen on."""


@dataclass(frozen=True, slots=True)
class Running:
    """A server that is ready.

    Attributes:
        port: on 127.0.0.1.
        pid: of the process that was started; it may have others below it.
    """

    port: int
    pid: int

    @property
    def url(self) -> str:
        """Address of the server, without a slash at the end."""
        return f"http://127.0.0.1:{self.port}"


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


@contextmanager
def running(
    command: Command,
    *,
    ready_path: str = "/",
    environ: Mapping[str, str] | None = None,
    strict: bool = False,
    folder: Path | None = None,
) -> Iterator[Running]:
    """Starts `command`, yields once `ready_path` answers 200, and ends it and all that it started.

    Args:
        command: what to run, by port.
        ready_path: where it tells that it is ready.
        environ: variables over our own.
        strict: whether it must leave with code 0 after SIGTERM.
        folder: to run it in; None for this one.

    Raises:
        RuntimeError: it did not become ready, or left otherwise than it must.
    """
    port = free_port()
    variables = os.environ | dict(environ or {})
    process = subprocess.Popen(list(command(port)), env=variables, cwd=folder, start_new_session=True)
    try:
        found = Running(port, process.pid)
        _wait_until_ready(process, found.url + ready_path)
        yield found
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOP_TIMEOUT_S)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # what it left behind; nothing in most cases
        code = process.wait()
    if strict and code != 0:
        raise RuntimeError(f"the server left with code {code}")


def sluice(*options: str) -> Command:
    """`python -m app serve` with `options`."""

    def command(port: int) -> list[str]:
        fixed = [f"--port={port}", "--log-level=warning", "--drain-delay-s=0"]
        return [sys.executable, "-m", "app", "serve", *fixed, *options]

    return command


@contextmanager
def running_server(*options: str, checkout: Path | None = None) -> Iterator[Running]:
    """Sluice with `options`, ready; ended with SIGTERM. `checkout` holds another version of the code than this one.

    Raises:
        RuntimeError: it did not become ready, or did not leave with code 0.
    """
    with running(sluice(*options), ready_path="/health/ready", strict=True, folder=checkout) as found:
        yield found


@contextmanager
def running_bare() -> Iterator[Running]:
    """The ASGI function that answers a constant, under the same uvicorn."""
    with running(lambda port: [sys.executable, "-m", "benchmarks.http.servers.bare", str(port)]) as found:
        yield found


def _wait_until_ready(process: "subprocess.Popen[bytes]", url: str) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    with httpx.Client(timeout=1) as client:
        while time.monotonic() < deadline and process.poll() is None:
            try:
                if client.get(url).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            time.sleep(LOOK_EVERY_S)
    raise RuntimeError("the server did not become ready")

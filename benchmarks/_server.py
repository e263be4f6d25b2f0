"""A real server process on a free port, for as long as a measurement lasts."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

START_TIMEOUT_S = 120.0


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


@contextmanager
def running_server(*options: str) -> Iterator[str]:
    """Starts `python -m app serve` with `options`, yields its address once ready, and ends it with SIGTERM.

    Raises:
        RuntimeError: it did not become ready, or did not leave with code 0.
    """
    port = free_port()
    command = [sys.executable, "-m", "app", "serve", f"--port={port}", "--log-level=warning", "--drain-delay-s=0"]
    process = subprocess.Popen([*command, *options])
    try:
        url = f"http://127.0.0.1:{port}"
        _wait_until_ready(process, url)
        yield url
    finally:
        process.terminate()
        code = process.wait(30)
    if code != 0:
        raise RuntimeError(f"the server left with code {code}")


def _wait_until_ready(process: "subprocess.Popen[bytes]", url: str) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(f"{url}/health/ready", timeout=1).status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise RuntimeError("the server did not become ready")

"""A server as a process on a real port: start it, wait until it is healthy, ask it, stop it."""

import json
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

START_TIMEOUT_S = 90
STOP_TIMEOUT_S = 30

Process = subprocess.Popen[bytes]


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def running(command: list[str], *, env: Mapping[str, str] | None = None, cwd: Path | None = None) -> Iterator[Process]:
    """The command as a process, killed at the end if it still runs."""
    with subprocess.Popen(command, env=env, cwd=cwd) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_healthy(process: Process, health: list[str], *, env: Mapping[str, str] | None = None) -> None:
    """Until the health check's command ends with 0."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while subprocess.run(health, env=env, stderr=subprocess.DEVNULL, check=False).returncode:
        assert process.poll() is None, f"the server ended with {process.returncode} before it was healthy"
        assert time.monotonic() < deadline, f"not healthy within {START_TIMEOUT_S} s"
        time.sleep(0.5)


def ask(port: int) -> dict[str, Any]:
    """The answer of POST /predict to one plainly good and one plainly bad sentence, which must find them so."""
    body = json.dumps({"inputs": ["A wonderful, moving film.", "A dull and tedious mess."]}).encode()
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(f"http://127.0.0.1:{port}/predict", data=body, headers=headers)
    with urllib.request.urlopen(request, timeout=30) as response:
        answer: dict[str, Any] = json.load(response)
    assert answer["model"] == "sentiment"
    assert [prediction["label"] for prediction in answer["predictions"]] == ["positive", "negative"]
    return answer


def stop(process: Process) -> None:
    """SIGTERM, which a server must obey by itself and leave with 0."""
    process.send_signal(signal.SIGTERM)
    code = process.wait(STOP_TIMEOUT_S)
    assert code == 0, f"after SIGTERM the server ended with {code}"

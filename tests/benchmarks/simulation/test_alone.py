import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from benchmarks.lib.load_generator import render
from benchmarks.simulation.alone import ask_alone
from benchmarks.simulation.timed_loop import TimedLoop

WORK_S = 2e-3


@contextmanager
def answering(status: bytes) -> Iterator[int]:
    """The port of a server that answers each request after `WORK_S`, in two pieces."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                while connection.recv(65_536):
                    time.sleep(WORK_S)
                    connection.sendall(b"HTTP/1.1 " + status + b" Some\r\nContent-Length: 2\r\n")
                    connection.sendall(b"\r\nok")

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        thread.join(1)


def test_a_request_is_sent_after_the_idle_time_and_timed_until_its_answer() -> None:
    with answering(b"200") as port:
        latencies = ask_alone(port, [render(["a"])], idle_s=8e-3, seconds=0.1)
    assert 1 <= len(latencies) <= 10
    assert min(latencies) >= WORK_S


def test_a_request_that_fails_is_an_error() -> None:
    with answering(b"503") as port, pytest.raises(RuntimeError, match="status 503"):
        ask_alone(port, [render(["a"])], idle_s=0.0, seconds=0.1)


def test_the_generator_tells_what_its_own_work_costs() -> None:
    with answering(b"200") as port:
        loop = TimedLoop(port, [render(["a"])], per_second=100, seconds=0.1, connections=1)
        asyncio.run(loop.run())
    costs = loop.costs
    assert 0 < costs.send_s < WORK_S
    assert 0 < costs.read_s < WORK_S
    assert 0 <= costs.look_s < WORK_S

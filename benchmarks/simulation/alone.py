"""One connection that asks again at once, or after an idle time, and never sleeps itself."""

import os
import socket
import time
from collections.abc import Sequence

from benchmarks.lib.load_generator import OK, content_length, cycle

READ_BYTES = 1 << 18


def ask_alone(port: int, requests: Sequence[bytes], *, idle_s: float, seconds: float) -> list[float]:
    """Latencies of one request after another, each sent `idle_s` after the answer before.

    Computes while it waits: a client that sleeps wakes late, and so does the core on which it slept.

    Raises:
        RuntimeError: a request was not answered with 200.
    """
    latencies = []
    with socket.create_connection(("127.0.0.1", port)) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setblocking(False)
        end = time.perf_counter() + seconds
        for request in cycle(requests):
            due = time.perf_counter() + idle_s
            while (began := time.perf_counter()) < due:
                pass
            if began > end:
                break
            sock.sendall(request)
            status = _status(sock)
            latencies.append(time.perf_counter() - began)
            if status != OK:
                raise RuntimeError(f"a request that was alone got status {status}")
    return latencies


def _status(sock: socket.socket) -> int:
    """Reads an answer and returns its status, 0 if the connection ends before."""
    received, head = b"", -1
    while head < 0 or len(received) < head + 4 + content_length(received[:head]):
        try:
            part = sock.recv(READ_BYTES)
        except BlockingIOError:
            os.sched_yield()  # the server may have this core too
            continue
        if not part:
            return 0
        received += part
        head = received.find(b"\r\n\r\n")
    return int(received[9:12])

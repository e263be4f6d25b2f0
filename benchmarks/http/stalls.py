"""Compares load generators on a server that answers nobody for one second.

    python -m benchmarks.http.stalls

The server answers at once, except that it stands still from the second to the third second. At 200 requests a second
for five seconds, a fifth of the requests are due while it stands still, so the 90th percentile of the time from when a
request was due to its answer is 0.5 s. A generator whose connections wait for their answers before they send again
leaves most of those requests out, and reports a fast server (coordinated omission). Needs `hey` and `h2load` for rows
of theirs (Debian: hey, nghttp2-client).
"""

import asyncio
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.lib.load_generator import percentile
from benchmarks.lib.open_loop import OpenLoop
from benchmarks.lib.server import free_port

RATE = 200
SECONDS = 5
STALL_AFTER_S = 2.0
STALL_S = 1.0
CONNECTIONS = 10
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
REQUEST = b"GET / HTTP/1.1\r\nHost: here\r\n\r\n"


@contextmanager
def stalling_server() -> Iterator[int]:
    """Yields the port of a server that stands still once, counted from its first request."""
    port = free_port()
    loop = asyncio.new_event_loop()
    began: list[float] = []
    stalled: list[bool] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readuntil(b"\r\n\r\n"):
            if not began:
                began.append(time.monotonic())
            if not stalled and time.monotonic() - began[0] > STALL_AFTER_S:
                stalled.append(True)
                time.sleep(STALL_S)  # noqa: ASYNC251  # nobody is served meanwhile: that is the point
            writer.write(ANSWER)

    async def serve() -> None:
        await asyncio.start_server(answer, "127.0.0.1", port, backlog=1024)

    loop.set_exception_handler(lambda *_: None)  # clients that leave are no news here
    loop.run_until_complete(serve())
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    yield port
    loop.call_soon_threadsafe(loop.stop)
    thread.join()


def ours(port: int) -> tuple[int, float]:
    """Requests and 90th percentile in seconds of `benchmarks.lib.open_loop`."""

    async def run() -> OpenLoop:
        loop = OpenLoop(port, [REQUEST], per_second=RATE, seconds=SECONDS)
        await loop.run()
        return loop

    loop = asyncio.run(run())
    latencies = loop.tally.latencies + loop.drained.latencies
    return len(latencies), percentile(latencies, 90)


def hey(port: int) -> tuple[int, float]:
    """Requests and 90th percentile in seconds of hey with its rate limit."""
    url = f"http://127.0.0.1:{port}/"
    command = ["hey", "-z", f"{SECONDS}s", "-c", str(CONNECTIONS), "-q", str(RATE // CONNECTIONS), url]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    answers = sum(int(number) for number in re.findall(r"\[200\]\s+(\d+) responses", printed))
    return answers, float(_found(r"90% in ([\d.]+) secs", printed))


def h2load(port: int) -> tuple[int, float]:
    """Requests and 90th percentile in seconds of h2load with its rate, from its log of every request."""
    url = f"http://127.0.0.1:{port}/"
    options = [f"--clients={CONNECTIONS}", f"--rps={RATE // CONNECTIONS}", f"--duration={SECONDS}", "--h1"]
    command = ["h2load", *options, "--log-file=/dev/stdout", url]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    times = [int(micros) / 1e6 for micros in re.findall(r"^\d{10,}\t200\t(\d+)", printed, re.MULTILINE)]
    return len(times), percentile(times, 90)


def _found(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    if match is None:
        raise RuntimeError(f"nothing like {pattern} in: {text[-500:]}")
    return match[1]


def main() -> None:
    """Prints a row for each generator at hand."""
    sys.stdout.write(f"due: {RATE * SECONDS} requests, 90th percentile {STALL_S / 2:.2f} s\n")
    for name, generator in (("open_loop", ours), ("hey", hey), ("h2load", h2load)):
        if name != "open_loop" and shutil.which(name) is None:
            sys.stdout.write(f"{name}: not installed\n")
            continue
        with stalling_server() as port:
            requests, seconds = generator(port)
        sys.stdout.write(f"{name}: {requests} requests answered, 90th percentile {seconds:.3f} s\n")


if __name__ == "__main__":
    main()

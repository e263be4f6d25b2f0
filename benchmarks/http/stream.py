"""Streams a million lines and checks order, answers and bounded memory.

    python -m benchmarks.http.stream [--lines 1000000]

Asks for 2,048 sentences alone, then sends them over and over through `POST /predict/stream` on one connection, every
thousandth line broken, and compares every answer with the one given alone. Prints time and resident memory of the
server's processes. Fails if a line is answered wrongly, out of order or not at all, if a broken line gets other than an
error, or if the memory's middle in the last third exceeds that of the first third after a tenth of the time by 2%.
"""

import asyncio
import http.client
import json
import random
import socket
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from benchmarks.http.mixed_texts import TOLERANCE, difference
from benchmarks.lib.load_generator import OK, every, render
from benchmarks.lib.memory import MEGABYTE, resident
from benchmarks.lib.server import running_server
from benchmarks.lib.shipped import SHIPPED
from benchmarks.lib.texts import sentences

NUM_TEXTS = 2048
BROKEN_EVERY = 1000
PIECE_LINES = 1000
INTERVAL_S = 0.5
GROWTH_SHARE = 0.02
WARM_UP = 0.1


def line_of(number: int, texts: Sequence[str]) -> bytes:
    """Line `number`, from 1."""
    if number % BROKEN_EVERY == 0:
        return b'{"inputs": \n'
    return json.dumps({"inputs": texts[number % len(texts)]}).encode() + b"\n"


def is_right(number: int, entry: dict[str, Any], expected: Sequence[dict[str, Any]]) -> bool:
    """Compares an answer with that of line `number`."""
    if entry.get("line") != number:
        return False
    if number % BROKEN_EVERY == 0:
        error: dict[str, Any] = entry.get("error", {})
        return error.get("type") == "invalid_json"
    return "error" not in entry and difference(expected[number % len(expected)], entry) <= TOLERANCE


def ask_alone(port: int, texts: Sequence[str]) -> list[dict[str, Any]]:
    """The prediction of each text.

    Raises:
        ClickException: one got none.
    """
    found: dict[bytes, dict[str, Any]] = {}

    def note(request: bytes, status: int, body: bytes) -> None:
        if status != OK:
            raise click.ClickException(f"a text alone got {status}")
        found[request] = json.loads(body)["predictions"][0]

    requests = [render([text]) for text in texts]
    asyncio.run(every(port, requests, note))
    return [found[request] for request in requests]


@contextmanager
def sampling(read: Callable[[], int]) -> Iterator[list[int]]:
    """Readings of `read`, two a second."""
    samples = [read()]
    ended = threading.Event()

    def sample() -> None:
        while not ended.wait(INTERVAL_S):
            samples.append(read())

    thread = threading.Thread(target=sample)
    thread.start()
    try:
        yield samples
    finally:
        ended.set()
        thread.join()


def stream(port: int, lines: int, texts: Sequence[str], expected: Sequence[dict[str, Any]]) -> int:
    """Sends and reads at the same time; how many answers were wrong or missing."""
    with socket.create_connection(("127.0.0.1", port), timeout=120) as sock:
        head = "POST /predict/stream HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
        sock.sendall(head.encode())

        def write() -> None:
            for start in range(1, lines + 1, PIECE_LINES):
                numbers = range(start, min(start + PIECE_LINES, lines + 1))
                piece = b"".join(line_of(number, texts) for number in numbers)
                sock.sendall(b"%x\r\n%s\r\n" % (len(piece), piece))
            sock.sendall(b"0\r\n\r\n")

        writer = threading.Thread(target=write, daemon=True)
        writer.start()
        response = http.client.HTTPResponse(sock, method="POST")
        response.begin()
        wrong = sum(not is_right(number, json.loads(response.readline()), expected) for number in range(1, lines + 1))
        if response.read():
            wrong += 1
        writer.join()
    return wrong


@click.command(help=__doc__)
@click.option("--lines", default=1_000_000, show_default=True, type=click.IntRange(min=1))
@click.option("--checkpoint", type=click.Path(path_type=Path), default=SHIPPED)
@click.option("--serve-option", "options", multiple=True, metavar="=--FLAG=VALUE", help="Passed on to Sluice.")
def main(lines: int, checkpoint: Path, options: tuple[str, ...]) -> None:
    """Prints time and memory."""
    texts = sentences(NUM_TEXTS, random.Random(0))
    with running_server(f"--model={checkpoint.name}={checkpoint}", *options) as server:
        expected = ask_alone(server.port, texts)
        began = time.monotonic()
        with sampling(lambda: resident(server.pid)) as samples:
            wrong = stream(server.port, lines, texts, expected)
        seconds = time.monotonic() - began
    warm = samples[int(WARM_UP * len(samples)) :]
    third = max(1, len(warm) // 3)
    before, after = statistics.median(warm[:third]), statistics.median(warm[-third:])
    print(
        f"{lines:,} lines in {seconds:.0f} s ({lines / seconds:,.0f} a second), {lines // BROKEN_EVERY:,} broken ones "
        f"among them; {wrong} wrong answers"
    )
    print(
        f"resident memory {samples[0] / MEGABYTE:.0f} MB at the start, at most {max(samples) / MEGABYTE:.0f}, "
        f"{before / MEGABYTE:.1f} in the first third, {after / MEGABYTE:.1f} in the last ({after / before - 1:+.1%})"
    )
    sys.exit(bool(wrong) or after > before * (1 + GROWTH_SHARE))


if __name__ == "__main__":
    main()

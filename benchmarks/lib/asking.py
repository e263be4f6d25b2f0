"""Clients that ask a server for predictions again and again, and check each answer."""

import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

PAUSE_S = 0.01
"""Between two requests of a client: the same processors start servers meanwhile."""

TIMEOUT_S = 30.0


@dataclass
class Asked:
    """Answers so far, in their order.

    Attributes:
        statuses: 0 where no answer came.
        versions: of the checkpoint, of each answer with status 200.
        waits_s: time to each answer.
        wrong: number of answers with status 200 and other predictions than expected.
        errors: causes where no answer came, counted.
    """

    statuses: list[int] = field(default_factory=list)
    versions: list[str] = field(default_factory=list)
    waits_s: list[float] = field(default_factory=list)
    wrong: int = 0
    errors: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        seen = ", ".join(f"{count} x {status or 'none'}" for status, count in sorted(Counter(self.statuses).items()))
        return f"{seen}; longest wait {max(self.waits_s, default=0):.2f} s; {self.wrong} wrong"


@contextmanager
def asking(url: str, bodies: Sequence[Any], expected: Sequence[Any], *, clients: int = 4) -> Iterator[Asked]:
    """Clients that post one body after another to `/predict`, while the block runs.

    Args:
        url: of the server.
        bodies: of requests.
        expected: `predictions` of the answer to each.
        clients: each of which has one request under way at a time.

    Yields:
        What has been seen, once each client has an answer; complete when the block has ended.
    """
    asked, done = Asked(), threading.Event()

    def ask(place: int) -> None:
        with httpx.Client(base_url=url, timeout=TIMEOUT_S) as client:
            while not done.wait(PAUSE_S):
                place = (place + 1) % len(bodies)
                began, status = time.monotonic(), 0
                try:
                    response = client.post("/predict", json=bodies[place])
                except httpx.TransportError as error:
                    asked.errors[f"{type(error).__name__}: {error}"] += 1
                else:
                    status = response.status_code
                    if status == 200:
                        answer = response.json()
                        asked.versions.append(answer["version"])
                        asked.wrong += answer["predictions"] != expected[place]
                asked.waits_s.append(time.monotonic() - began)
                asked.statuses.append(status)

    threads = [threading.Thread(target=ask, args=(number,), daemon=True) for number in range(clients)]
    for thread in threads:
        thread.start()
    while len(asked.statuses) < clients:
        time.sleep(PAUSE_S)
    try:
        yield asked
    finally:
        done.set()
        for thread in threads:
            thread.join(TIMEOUT_S)

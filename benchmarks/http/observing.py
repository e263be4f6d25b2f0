"""Measures the cost of metrics and traces a request: microseconds of processor time, least of many rounds.

    python -m benchmarks.http.observing

Fails if counting what answers look like costs more than 3 µs a text, what surrounds a request 5 µs, or a trace 60 µs.
"""

import asyncio
import time
from collections.abc import Callable
from importlib.util import find_spec

import numpy as np

from app.core.job import Job, Scores
from app.telemetry.metrics import Metrics
from app.telemetry.tracing import Parent
from model.classifier import Classifier
from model.text import Encoded

CHECKPOINT = "checkpoints/sentiment"
TEXT = "A gripping film that never lets go, though its end is a little too sweet for my taste."
ROUNDS, REPEATS = 30, 512
HEADERS = [(name, b"x") for name in (b"host", b"user-agent", b"accept", b"content-type", b"content-length", b"cookie")]
TRACEPARENT = (b"traceparent", b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")


def cost_us(work: Callable[[], object], per: int = 1) -> float:
    """Microseconds of `work`, over `per`."""
    rounds = []
    for _ in range(ROUNDS):
        began = time.process_time_ns()
        for _ in range(REPEATS):
            work()
        rounds.append((time.process_time_ns() - began) / REPEATS / per / 1000)
    return min(rounds)


def answered_job(texts: int, row: "np.ndarray[tuple[int, ...], np.dtype[np.float32]]", encoded: Encoded) -> Job:
    """A job that is done."""
    job = Job([TEXT] * texts, 60.0, asyncio.get_running_loop())
    job.encoded = [encoded] * texts
    rows = np.array([row] * texts)
    job.settle(range(texts), Scores(rows, rows))
    return job


async def measure() -> dict[str, tuple[float, float]]:
    """Each figure and its bar."""
    classifier = Classifier.load(CHECKPOINT, device="cpu")
    (encoded,) = classifier.encode([TEXT])
    (row,) = classifier.score([encoded])
    metrics = Metrics()
    answers = metrics.answers.of("m", classifier)
    found = {}
    for texts in (1, 64):
        job = answered_job(texts, row, encoded)
        cost = cost_us(lambda job=job: answers.note(*job.answered_texts()), texts)  # type: ignore[misc]
        found[f"what answers look like, a text, {texts} a request"] = (cost, 3.0)
    job = answered_job(1, row, encoded)
    ended = time.monotonic()
    scope = {"headers": HEADERS}

    def surround() -> None:
        metrics.requests.observe_job("m", job, job.admitted_at, ended)
        Parent.of(scope)

    found["time around the model and a look for a trace, a request"] = (cost_us(surround), 5.0)
    if find_spec("opentelemetry.sdk") is not None:
        from app.telemetry.otel import Tracer

        tracer = Tracer("http://127.0.0.1:9/v1/traces")
        attributes: dict[str, str | int] = {"http.request.method": "POST", "sluice.texts": 1, "sluice.tokens": 20}
        for name, headers in (("without", HEADERS), ("with", [*HEADERS, TRACEPARENT])):
            parent = Parent.of({"headers": headers})
            times = []
            for _ in range(ROUNDS):
                began = time.thread_time_ns()  # the SDK's thread would count too
                for _ in range(REPEATS):
                    tracer.record(parent, "POST /predict", attributes, job, failed=False, started=0.0, ended=ended)
                times.append((time.thread_time_ns() - began) / REPEATS / 1000)
            found[f"a trace, {name} a caller's"] = (min(times), 60.0)
        await tracer.close()
    return found


def main() -> int:
    """Prints a table; 1 if a bar is missed."""
    found = asyncio.run(measure())
    print("| what | µs | at most |\n| --- | --- | --- |")
    for name, (cost, bar) in found.items():
        print(f"| {name} | {cost:.2f} | {bar:.0f} |")
    return int(any(cost > bar for cost, bar in found.values()))


if __name__ == "__main__":
    raise SystemExit(main())

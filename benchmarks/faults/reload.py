"""Reloads a model under load and checks that no request is lost or answered by two versions.

    python -m benchmarks.faults.reload [--reloads 100] [--serve-option=--workers=2]

Serves a folder in which two checkpoints take turns: the given one, and the same with another temperature and so with
other scores and another version. Each time SIGHUP tells the server, while connections ask without a pause. Every answer
must be a 200, name one of the two versions, and have the scores that this version gave the same text when it was alone.
Memory is read after each reload: the middle of the last third may exceed that of the first by 5% and 10 MB. Exits with
1 if anything of this fails.
"""

import asyncio
import dataclasses
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import click
import uvloop

from benchmarks.faults.soak import allowed, thirds
from benchmarks.lib.load_generator import OK, Connection, connect, percentile, render
from benchmarks.lib.memory import MEGABYTE, resident
from benchmarks.lib.server import running_server
from benchmarks.lib.shipped import SHIPPED
from benchmarks.lib.texts import sentences
from model.checkpoint import Checkpoint, load_checkpoint, save_checkpoint

NUM_TEXTS = 200
TOLERANCE = 2e-6
"""Of a score: PyTorch's depends in the last digits on the company in a batch; those of the engine do not."""

SIGHT = 10
"""Answers in a row of the new version, on new connections, after which all workers are taken to have it."""

PATIENCE_S = 60.0

SHORT_S = 60.0
"""A run's growth is judged as that of a soak so long: each reload holds two models for a while."""

GET_MODELS = b"GET /models HTTP/1.1\r\nHost: localhost\r\n\r\n"

Scores = dict[str, float]


def scores_of(body: bytes) -> tuple[str, list[Scores]]:
    """The version that answered, and the scores of each text."""
    answer = json.loads(body)
    return answer["version"], [{s["label"]: s["score"] for s in p["scores"]} for p in answer["predictions"]]


def same(scores: Scores, alone: Scores) -> bool:
    """Compares scores with those of the text when it was alone.

    >>> same({"a": 0.5}, {"a": 0.500001}), same({"a": 0.5}, {"a": 0.5001}), same({"a": 0.5}, {"b": 0.5})
    (True, False, False)
    """
    return scores.keys() == alone.keys() and all(
        abs(score - alone[label]) <= TOLERANCE for label, score in scores.items()
    )


@dataclass
class Result:
    """Answers that came back, sorted by outcome.

    Attributes:
        failures: answers that were not 200, by status.
        versions: answers by the version that they name.
        wrong: answers that are not what that version gives.
        latencies: seconds of each answer.
        memory: bytes after each reload.
    """

    failures: Counter[int] = field(default_factory=Counter)
    versions: Counter[str] = field(default_factory=Counter)
    wrong: int = 0
    latencies: list[float] = field(default_factory=list)
    memory: list[int] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """True if nothing failed, nothing was wrong and memory is flat."""
        before, after = thirds(self.memory)
        return not self.failures and not self.wrong and len(self.versions) == 2 and after <= allowed(before, SHORT_S)


class Load:
    """Connections that ask without a pause and check every answer.

    Args:
        texts: that are asked, 1 to 8 at a time.
        alone: the scores of each text by version.
    """

    def __init__(self, port: int, texts: Sequence[str], alone: dict[str, list[Scores]], rng: random.Random) -> None:
        self.result = Result()
        self._port = port
        self._alone = alone
        groups = [rng.choices(range(len(texts)), k=rng.randint(1, 8)) for _ in range(500)]
        self._requests = [(group, render([texts[i] for i in group])) for group in groups]
        self._rng = rng

    async def run(self) -> None:
        """Until it is cancelled."""
        connection = await connect(self._port)
        while True:
            group, request = self._rng.choice(self._requests)
            began = time.perf_counter()
            status, body = await connection.ask(request)
            self.result.latencies.append(time.perf_counter() - began)
            if status != OK:
                self.result.failures[status] += 1
                connection = await connect(self._port)
                continue
            version, answers = scores_of(body)
            self.result.versions[version] += 1
            alone = self._alone.get(version)
            if alone is None or not all(same(scores, alone[i]) for i, scores in zip(group, answers, strict=True)):
                self.result.wrong += 1


async def each_alone(port: int, texts: Sequence[str]) -> tuple[str, list[Scores]]:
    """The version that is served and its scores of each text, asked one by one."""
    connection = await connect(port)
    answers = [scores_of((await connection.ask(render([text])))[1]) for text in texts]
    connection.close()
    return answers[0][0], [scores for _, (scores,) in answers]


async def exchange(folder: Path, checkpoint: Checkpoint, port: int, pid: int) -> None:
    """Puts a checkpoint in the place of another, tells the server, and waits until it serves it.

    Raises:
        TimeoutError: it does not.
    """
    version = await asyncio.to_thread(save_checkpoint, folder, checkpoint)
    os.kill(pid, signal.SIGHUP)
    seen = 0
    async with asyncio.timeout(PATIENCE_S):
        while seen < SIGHT:
            connection: Connection = await connect(port)
            _, body = await connection.ask(GET_MODELS)
            connection.close()
            seen = seen + 1 if json.loads(body)["models"][0]["version"] == version else 0
            await asyncio.sleep(0.01)


async def measure(
    folder: Path, both: Sequence[Checkpoint], port: int, pid: int, *, reloads: int, connections: int, seed: int
) -> Result:
    """Measures reloads under load and judges them."""
    rng = random.Random(seed)
    texts = sentences(NUM_TEXTS, rng)
    alone = {}
    for checkpoint in reversed(both):
        await exchange(folder, checkpoint, port, pid)
        version, scores = await each_alone(port, texts)
        alone[version] = scores
    load = Load(port, texts, alone, rng)
    tasks = [asyncio.create_task(load.run()) for _ in range(connections)]
    for number in range(reloads):
        await exchange(folder, both[(number + 1) % 2], port, pid)
        load.result.memory.append(resident(pid))
    for task in tasks:
        task.cancel()
    for task in tasks:
        with suppress(asyncio.CancelledError):
            await task  # and whatever else ended it
    return load.result


@click.command(help=__doc__)
@click.option("--reloads", default=100, show_default=True)
@click.option("--connections", default=8, show_default=True)
@click.option("--checkpoint", type=click.Path(path_type=Path), default=SHIPPED)
@click.option("--seed", default=0, show_default=True)
@click.option("--serve-option", "options", multiple=True, metavar="=--FLAG=VALUE", help="Passed on to Sluice.")
def main(reloads: int, connections: int, checkpoint: Path, seed: int, options: tuple[str, ...]) -> None:
    """Prints what came back."""
    first = load_checkpoint(checkpoint)
    config = first.config.model_copy(update={"temperature": first.config.temperature * 1.5})
    both = (first, dataclasses.replace(first, config=config))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "model"
        save_checkpoint(folder, first)
        began = time.perf_counter()
        with running_server(f"--model={folder}", *options) as server:
            result = uvloop.run(
                measure(folder, both, server.port, server.pid, reloads=reloads, connections=connections, seed=seed)
            )
    before, after = thirds(result.memory)
    print(f"{len(result.latencies):,} requests, {reloads} reloads, {time.perf_counter() - began:.0f} s")
    print(f"failures: {result.failures.total()} {dict(result.failures) or ''}")
    print("answers by version:", ", ".join(f"{version} {count:,}" for version, count in result.versions.items()))
    print(f"answers that are not those of their version: {result.wrong}")
    at = [percentile(result.latencies, percent) * 1000 for percent in (50, 99, 99.9, 100)]
    print("latency: p50 {:.1f} ms, p99 {:.1f}, p99.9 {:.1f}, most {:.1f}".format(*at))
    print(
        f"resident memory: {before / MEGABYTE:.0f} MB in the first third, {after / MEGABYTE:.0f} in the last; at most "
        f"{allowed(before, SHORT_S) / MEGABYTE:.0f} are allowed"
    )
    sys.exit(not result.good)


if __name__ == "__main__":
    main()

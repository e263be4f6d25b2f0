"""Fails if engine or server became slow against a reference of the same run.

    python -m benchmarks.guard

Takes a minute and needs no data. Exits with 1 if a ratio is below its floor. The engine is left out where it is not
built; the server is compared all the same.
"""

import os
import random
import sys
import time
from collections.abc import Sequence

import click
import uvloop

from benchmarks.lib.load_generator import OK, Tally, chunks, closed_loop, render
from benchmarks.lib.packed import Answer, Packed, in_batches, of_module
from benchmarks.lib.ratios import Check, Spread
from benchmarks.lib.server import running_bare, running_server
from benchmarks.lib.shipped import SHIPPED
from benchmarks.lib.texts import sentences
from model.checkpoint import load_checkpoint
from model.classifier import Classifier, set_num_threads
from model.computation import INT8
from model.engine.cpu import unfit

NUM_TEXTS = 512
ROUNDS = 5
SECONDS = 1.5
"""Of each loop against a server; there are three a round."""

ENGINE_FLOOR = 3.0
"""Of packed float32's texts a second of CPU time, one thread. Seen on an EPYC: 10 with AVX-512, 4.6 with AVX2 alone."""

SINGLE_FLOOR = 0.09
"""Of the bare function's requests a second, one text a request, 16 connections. Seen on the same machine: 0.15 (0.13 to
0.21); with 32 on an AMD EPYC 0.23 (0.22 to 0.25), before 0.17 there (`docs/design/0032-request-path.md`)."""

BULK_FLOOR = 0.4
"""Of the texts a second of `Classifier.predict`, 64 texts a request, 4 connections. Seen there: 1.2 (0.9 to 1.25)."""


def engine_check(texts: Sequence[str], fast: Classifier) -> Check:
    """The engine against `torch.nn.LSTM` over packed sequences in float32, one thread, by CPU time."""
    exact = Classifier.load(SHIPPED, device="cpu", dtype="float32")
    network = load_checkpoint(SHIPPED).build_network().requires_grad_(False).eval()
    turns: dict[str, Answer] = {
        "engine": in_batches(fast, fast.raw_logits),
        "packed": in_batches(exact, of_module(Packed(network).eval())),
    }
    rates: dict[str, list[float]] = {name: [] for name in turns}
    for answer in turns.values():
        answer(texts)
    for _ in range(ROUNDS):
        for name, answer in turns.items():
            began = time.process_time()
            answer(texts)
            rates[name].append(len(texts) / (time.process_time() - began))
    return Check("engine against packed float32", Spread.of(rates["engine"], rates["packed"]), ENGINE_FLOOR)


def loop(port: int, texts: Sequence[str], size: int, connections: int) -> Tally:
    """A closed loop against a server.

    Raises:
        ClickException: an answer was not 200.
    """
    requests = [render(part) for part in chunks(texts, size)]
    tally = uvloop.run(closed_loop(port, requests, connections=connections, seconds=SECONDS, warm_up_s=0.2))
    if tally.share(OK) < 1:
        raise click.ClickException(f"answers by status: {dict(tally.statuses)}")
    return tally


def server_checks(texts: Sequence[str], classifier: Classifier) -> list[Check]:
    """The server against the bare function and against its own library, in turns."""
    single, bare, bulk, library = [], [], [], []
    with running_bare() as reference, running_server(f"--model={SHIPPED.name}={SHIPPED}", "--threads=1") as server:
        for _ in range(ROUNDS):
            bare.append(loop(reference.port, texts, 1, 16).rate)
            single.append(loop(server.port, texts, 1, 16).rate)
            bulk.append(loop(server.port, texts, 64, 4).rate * 64)
            num, began = 0, time.perf_counter()
            while (spent := time.perf_counter() - began) < SECONDS:
                classifier.predict(texts)
                num += len(texts)
            library.append(num / spent)
    return [
        Check("server against a bare ASGI function, 1 text a request", Spread.of(single, bare), SINGLE_FLOOR),
        Check("server against its library, 64 texts a request", Spread.of(bulk, library), BULK_FLOOR),
    ]


@click.command(help=__doc__)
def main() -> None:
    """Prints a line a ratio."""
    # One thread each, before the tokenizer makes its own.
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    set_num_threads(1)
    texts = sentences(NUM_TEXTS, random.Random(0))
    classifier = Classifier.load(SHIPPED, device="cpu", dtype="auto")
    checks: list[Check] = []
    if classifier.dtype == INT8:
        checks.append(engine_check(texts, classifier))
    else:
        reason = unfit(load_checkpoint(SHIPPED).config.architecture)
        print(f"engine: NOT COMPARED, {reason}")
    checks += server_checks(texts, classifier)
    for check in checks:
        print(check)
    sys.exit(not all(check.holds for check in checks))


if __name__ == "__main__":
    main()

"""Measures latency at 70% load, behaviour at three times saturation, and cost as a request grows.

    python -m benchmarks.http.load [FILE] [--only load|texts|tokens] [--serve-option=--threads=2]

load        For one text a request and for 64: saturation by wrk; then, by an open loop at a fixed rate, p50
            and p99 of the latency at 70% of saturation, over at least 15 s, after one more that opens the connections
            and does not count; the same rate against an ASGI function that answers a constant, which is the share of
            generator and machine; then three times saturation: what is accepted, how late, what is refused. A latency
            counts from when a request was due, so a generator that falls behind shows as latency of the server; the
            rate at which requests really left is printed.
texts       Time per text of 1 to --max-texts texts, in requests of up to 1,024.
tokens      Time per token of texts of 16 to --max-tokens tokens, with a copy of the checkpoint that reads so many.

FILE is such as sst2/test.parquet; without it, texts are made up. The server has one half of the cores and the generator
the other.
"""

import asyncio
import contextlib
import json
import math
import os
import random
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import click
import uvloop
from rich.console import Console

from benchmarks.lib.cores import halves, on_cores
from benchmarks.lib.load_generator import OK, Tally, chunks, connect, percentile, render
from benchmarks.lib.open_loop import DRAIN_S, OpenLoop
from benchmarks.lib.ratios import growth
from benchmarks.lib.server import running_bare, running_server
from benchmarks.lib.shipped import SHIPPED
from benchmarks.lib.texts import english, read_texts, sentences
from benchmarks.lib.wrk import WrkMissing, body, find_wrk, run_wrk
from model.checkpoint import load_checkpoint, save_checkpoint
from model.text import TextEncoder
from tables.errors import TableError
from training.provenance import describe_machine

SHAPES = {1: 32, 64: 8}
"""Connections by texts a request; wrk also tries four times as many, and the most is saturation."""

BUSY, OVERLOAD = 0.7, 3.0
"""Of saturation."""

STEADY_S, WARM_UP_S = 15.0, 1.0
"""Least time over which a p99 is taken, and the time before it."""

OVERLOADED, LATE = 503, 504
FULL_REQUEST = 1024
CONNECTIONS = 2
"""While cost growth is measured: the server has the next request when it is done with one."""

TOKENS_A_REQUEST = 262_144
ROUND_S = 0.3
"""A size is repeated for at least so long, that short ones do not drown in noise."""


def offered(tally: Tally, per_second: float) -> str:
    """At what rate requests left, and whether that is what was wanted."""
    rate = tally.sent / tally.seconds
    return f"{rate:,.0f} requests/s left" + (" (THE GENERATOR FELL BEHIND)" if rate < 0.95 * per_second else "")


async def measure_latency(port: int, requests: Sequence[bytes], per_second: float, seconds: float) -> str:
    """Latency of a server in a steady state, and whether requests left as they were due."""
    loop = OpenLoop(port, requests, per_second=per_second, seconds=max(seconds, STEADY_S), warm_up_s=WARM_UP_S)
    busy = await loop.run()
    middle, high = (percentile(busy.latencies, percent) for percent in (50, 99))
    return (
        f"{offered(busy, per_second)}; p50 {middle * 1e3:.2f} ms, p99 {high * 1e3:.2f} ms, "
        f"ratio {high / middle:.1f}; {busy.share(OK):.1%} answered with 200"
    )


async def measure_load(
    port: int, bare_port: int, texts: Sequence[str], size: int, seconds: float, console: Console
) -> None:
    """Prints saturation, latency below it and behaviour above it, for `size` texts a request."""
    requests = [render(part) for part in chunks(texts, size)]
    bodies = [body(part) for part in chunks(texts, size)]
    loops = []
    for times in (1, 4):
        connections = times * SHAPES.get(size, 8)
        loops.append(await asyncio.to_thread(run_wrk, port, bodies, connections=connections, seconds=seconds))
    full = max(loops, key=lambda load: load.rate)
    console.print(
        f"{size} texts a request: saturation {full.rate:,.0f} requests/s, {full.rate * size:,.0f} texts/s",
        highlight=False,
    )
    for name, to in (("", port), (", a constant answer", bare_port)):
        found = await measure_latency(to, requests, BUSY * full.rate, seconds)
        console.print(f"  at {BUSY:.0%}{name}: {found}", highlight=False)
    loop = OpenLoop(port, requests, per_second=OVERLOAD * full.rate, seconds=seconds)
    over, after = await loop.run(), loop.drained
    latest = percentile(over.latencies + after.latencies, 99)
    console.print(
        f"  at {OVERLOAD:.0%}: {offered(over, OVERLOAD * full.rate)}; accepted {over.rate:,.0f} requests/s, "
        f"{over.rate / full.rate:.2f} of saturation; their p99 {latest:.2f} s; refused with 503 "
        f"{over.share(OVERLOADED):.1%}, 504 {over.share(LATE):.1%}, else {_other(over):.1%}; "
        f"{loop.unanswered:,} requests had no answer {DRAIN_S:.0f} s later",
        highlight=False,
    )


def _other(tally: Tally) -> float:
    return 1 - sum(tally.share(status) for status in (OK, OVERLOADED, LATE))


async def spend(port: int, requests: Sequence[bytes]) -> float:
    """Seconds until all requests are answered, `CONNECTIONS` under way at a time.

    Raises:
        ClickException: one was not answered with 200.
    """
    rest = iter(requests)

    async def one() -> None:
        connection = await connect(port)
        for request in rest:
            status, answer = await connection.ask(request)
            if status != OK:
                raise click.ClickException(f"{status}: {answer[:300].decode(errors='replace')}")
        connection.close()

    began = time.perf_counter()
    await asyncio.gather(*(one() for _ in range(min(CONNECTIONS, len(requests)))))
    return time.perf_counter() - began


async def cost(port: int, requests: Sequence[bytes]) -> float:
    """Seconds for all of `requests`, the median of so many repetitions as last `ROUND_S`."""
    spent: list[float] = []
    while sum(spent) < ROUND_S:
        spent.append(await spend(port, requests))
    return statistics.median(spent)


def powers(least: int, most: int, step: int) -> list[int]:
    """From `least` to `most`, each so many times the one before; the last is `most`.

    >>> powers(1, 500, 10)
    [1, 10, 100, 500]
    """
    count = math.ceil(math.log(most / least, step) - 1e-9) if most > least else 0
    return [least * step**i for i in range(count)] + [most]


def split(count: int, size: int) -> list[int]:
    """`count` in parts of `size`, the last one less.

    >>> split(2500, 1024)
    [1024, 1024, 452]
    """
    return [min(size, count - start) for start in range(0, count, size)]


async def measure_growth(port: int, by_size: dict[int, list[bytes]], units: dict[int, int], rounds: int) -> list[float]:
    """Seconds per unit by size: the median of rounds in which every size has its turn."""
    spent: dict[int, list[float]] = {size: [] for size in by_size}
    for _ in range(rounds):
        for size, requests in by_size.items():
            spent[size].append(await cost(port, requests) / units[size])
    return [statistics.median(seconds) for seconds in spent.values()]


async def measure_texts(port: int, texts: Sequence[str], most: int, rounds: int, console: Console) -> None:
    """Prints the time per text by number of texts."""
    request = render([texts[i % len(texts)] for i in range(FULL_REQUEST)])
    by_size = {
        size: [request if part == FULL_REQUEST else render(texts[:part]) for part in split(size, FULL_REQUEST)]
        for size in powers(1, most, 10)
    }
    costs = await measure_growth(port, by_size, {size: size for size in by_size}, rounds)
    shown = ", ".join(f"{size:,}: {seconds * 1e6:,.1f}" for size, seconds in zip(by_size, costs, strict=True))
    console.print(f"microseconds per text by number of texts: {shown}", highlight=False)
    console.print(f"  growth over the least before: {growth(costs):.0%}", highlight=False)


def text_of(encoder: TextEncoder, tokens: int, rng: random.Random) -> str:
    """A text of exactly so many tokens."""
    words = english(rng, tokens).split()
    while (more := encoder.encode([" ".join(words)])[0].num_tokens - tokens) > 0:
        del words[-max(1, more // 2) :]
    return " ".join(words + ["good"] * -more)


def long_requests(encoder: TextEncoder, most: int) -> tuple[dict[int, list[bytes]], dict[int, int]]:
    """Requests by tokens a text, and how many tokens they hold: as many texts as may be, at least 16."""
    rng = random.Random(0)
    requests, units = {}, {}
    for tokens in powers(16, most, 4):
        num_texts = max(16, min(FULL_REQUEST, TOKENS_A_REQUEST // tokens))
        # All different: the server computes equal texts once.
        requests[tokens] = [render([text_of(encoder, tokens, rng) for _ in range(num_texts)])]
        units[tokens] = num_texts * tokens
    return requests, units


async def measure_tokens(port: int, encoder: TextEncoder, most: int, rounds: int, console: Console) -> None:
    """Prints the time per token by length of the texts."""
    requests, units = long_requests(encoder, most)
    connection = await connect(port)
    for tokens, (request, *_) in requests.items():
        status, answer = await connection.ask(request)
        if status != OK or any(part["tokens"] != tokens for part in json.loads(answer)["predictions"]):
            raise click.ClickException(f"{tokens} tokens: {status}, {answer[:300].decode(errors='replace')}")
    connection.close()
    costs = await measure_growth(port, requests, units, rounds)
    shown = ", ".join(f"{size:,}: {seconds * 1e9:,.0f}" for size, seconds in zip(requests, costs, strict=True))
    console.print(f"nanoseconds per token by tokens a text: {shown}", highlight=False)
    console.print(f"  growth over the least before: {growth(costs):.0%}", highlight=False)


@click.command(help=__doc__)
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.option(
    "--text-column", default="text", show_default=True, help="Of FILE, unless it is a .txt with a text a line."
)
@click.option("--checkpoint", type=click.Path(path_type=Path), default=SHIPPED)
@click.option("--only", type=click.Choice(["load", "texts", "tokens"]), help="One of the three.")
@click.option("--request-texts", "sizes", multiple=True, type=int, default=tuple(SHAPES), show_default=True)
@click.option("--seconds", default=5.0, show_default=True, help="Of each loop of `load`, at least.")
@click.option("--rounds", default=3, show_default=True, help="Of `texts` and `tokens`.")
@click.option("--max-texts", default=100_000, show_default=True)
@click.option("--max-tokens", default=16_384, show_default=True)
@click.option("--serve-option", "options", multiple=True, metavar="=--FLAG=VALUE", help="Passed on to Sluice.")
def main(
    file: Path | None,
    text_column: str,
    checkpoint: Path,
    only: str | None,
    sizes: tuple[int, ...],
    seconds: float,
    rounds: int,
    max_texts: int,
    max_tokens: int,
    options: tuple[str, ...],
) -> None:
    """Prints what was asked for."""
    console = Console(width=200)
    try:
        texts = read_texts(file, column=text_column) if file else sentences(2048, random.Random(0))
        find_wrk()
    except (TableError, OSError, WrkMissing) as error:
        raise click.ClickException(str(error)) from None
    theirs, ours = halves(os.sched_getaffinity(0))
    told = f"{len(theirs)} of the cores for the server, {len(ours)} for the generator" + ", the same" * (theirs == ours)
    console.print(f"{describe_machine()}; {told}; {len(texts):,} texts; sluice {' '.join(options)}", highlight=False)
    with contextlib.ExitStack() as stack, on_cores(ours):
        if only in (None, "load", "texts"):
            with on_cores(theirs):
                server = stack.enter_context(running_server(f"--model={checkpoint.name}={checkpoint}", *options))
                bare = stack.enter_context(running_bare())
            if only != "texts":
                for size in sizes:
                    uvloop.run(measure_load(server.port, bare.port, texts, size, seconds, console))
            if only != "load":
                uvloop.run(measure_texts(server.port, texts, max_texts, rounds, console))
            stack.close()
        if only in (None, "tokens"):
            loaded = load_checkpoint(checkpoint)
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "long"
            long = replace(loaded, config=loaded.config.model_copy(update={"max_tokens": max_tokens}))
            save_checkpoint(folder, long)
            with on_cores(theirs):
                server = stack.enter_context(running_server(f"--model=long={folder}", "--deadline-ms=60000", *options))
            encoder = TextEncoder(loaded.tokenizer, max_tokens=max_tokens)
            uvloop.run(measure_tokens(server.port, encoder, max_tokens, rounds, console))


if __name__ == "__main__":
    main()

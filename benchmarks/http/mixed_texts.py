"""Sends texts of every kind, and compares answers alone with answers in company.

    python -m benchmarks.http.mixed_texts [--texts 10000] [--model NAME=PATH]

Starts a real server on a free port and sends English, Chinese, emoji, empty, blank, control, broken-Unicode and
megabyte
texts: shuffled in batches over several connections at a time, and each one alone. Fails unless every status is 200,
every
label, token count and truncation is equal, and no score differs by more than 1e-5.
"""

import asyncio
import json
import random
import sys
from typing import Any

import click
import httpx

from benchmarks.lib.server import running_server

ENGLISH = [
    "the",
    "film",
    "was",
    "not",
    "a",
    "good",
    "bad",
    "great",
    "dull",
    "one",
    "but",
    "I",
    "don't",
    "think",
    "it's",
    "worth",
    "10/10",
    "stars",
    ",",
    "really",
    "!",
]
CHINESE = "这部电影不是很好看难看喜欢讨厌酒店服务书内容一般非常差"
EMOJI = ["😀", "👍🏽", "🇨🇳", "👩‍👩‍👧", "❤️", "💩"]
ODD = [
    "",
    " ",
    "\n\t",
    "\x00\x07",
    "\ud800",
    "a\udfffb",
    "\u202e\u200b",
    "ﷺ" * 30,
    "<pad></w>",
    "{}\\\"'",
    "\ufeff好",
    "ı̇ß",
]
TOLERANCE = 1e-5


def make_texts(count: int, rng: random.Random) -> list[str]:
    """`count` texts, one in 500 of a megabyte; the odd ones among them are JSON's but not all of them Unicode's."""

    def one() -> str:
        kind = rng.random()
        if kind < 0.002:
            return rng.choice(["a", "很", "😀 ", "good "]) * (1_000_000 // rng.choice([1, 3, 5]))
        if kind < 0.15:
            return rng.choice(ODD) + rng.choice(["", "x", "好"])
        if kind < 0.30:
            return "".join(rng.choices(EMOJI + ENGLISH, k=rng.randint(1, 20)))
        if kind < 0.60:
            return "".join(rng.choices(CHINESE, k=rng.randint(1, 200)))
        return " ".join(rng.choices(ENGLISH, k=rng.randint(1, 300)))

    return [one() for _ in range(count)]


async def ask(client: httpx.AsyncClient, texts: list[str] | str) -> list[dict[str, Any]]:
    """The predictions; anything but a 200 ends the run."""
    # `ensure_ascii` writes a lone surrogate as an escape: JSON can, UTF-8 cannot.
    body = json.dumps({"inputs": texts}, ensure_ascii=True)
    response = await client.post("/predict", content=body, headers={"content-type": "application/json"})
    if response.status_code != 200:
        raise click.ClickException(f"{response.status_code}: {response.text[:500]}")
    predictions: list[dict[str, Any]] = response.json()["predictions"]
    return predictions


async def ask_all(client: httpx.AsyncClient, requests: list[list[str]], connections: int) -> list[dict[str, Any]]:
    """All requests, several under way at a time; predictions in the order of the texts."""
    answers: list[list[dict[str, Any]]] = [[] for _ in requests]
    waiting = iter(range(len(requests)))

    async def connection() -> None:
        for i in waiting:
            answers[i] = await ask(client, requests[i])

    await asyncio.gather(*(connection() for _ in range(connections)))
    return [prediction for answer in answers for prediction in answer]


def difference(alone: dict[str, Any], among: dict[str, Any]) -> float:
    """The largest difference of a score; infinite if anything else differs."""
    margin = alone["scores"][0]["score"] - alone["scores"][1]["score"]
    # Between labels that are as good as equal, either may stand first.
    exact = ("tokens", "truncated", "label") if margin > TOLERANCE else ("tokens", "truncated")
    if "error" in among or any(alone[key] != among[key] for key in exact):
        return float("inf")
    scores = [{score["label"]: score["score"] for score in prediction["scores"]} for prediction in (alone, among)]
    return max(float(abs(scores[0][label] - scores[1][label])) for label in scores[0])


async def compare(url: str, texts: list[str], connections: int, rng: random.Random) -> float:
    """The largest difference over all texts between the answer alone and among others."""
    order = rng.sample(range(len(texts)), len(texts))
    sizes = (1, 2, 7, 64, 200)
    batches: list[list[int]] = []
    while order:
        size = rng.choice(sizes)
        batches.append(order[:size])
        order = order[size:]
    async with httpx.AsyncClient(base_url=url, timeout=60) as client:
        together = await ask_all(client, [[texts[i] for i in batch] for batch in batches], connections)
        alone = await ask_all(client, [[text] for text in texts], connections)
    places = [i for batch in batches for i in batch]
    return max(difference(alone[i], among) for i, among in zip(places, together, strict=True))


@click.command(help=__doc__)
@click.option("--texts", "count", default=10_000, show_default=True)
@click.option("--connections", default=4, show_default=True)
@click.option("--seed", default=0, show_default=True)
@click.option("--model", multiple=True, help="Passed on to the server.")
def main(count: int, connections: int, seed: int, model: tuple[str, ...]) -> None:
    """Prints the largest difference."""
    rng = random.Random(seed)
    texts = make_texts(count, rng)
    with running_server(*(f"--model={name}" for name in model), "--max-queue-tokens=10000000") as server:
        largest = asyncio.run(compare(server.url, texts, connections, rng))
    print(f"{count:,} texts, {sum(len(t) > 100_000 for t in texts)} of them long: largest difference {largest:.1e}")
    sys.exit(largest > TOLERANCE)


if __name__ == "__main__":
    main()

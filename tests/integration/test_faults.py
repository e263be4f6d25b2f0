"""Faults that are caused on purpose: each costs its own text or request, and nothing else is lost."""

import ast
import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch

from app.batching.batcher import INLINE_ASCII_CHARS
from model.text import Encoded
from tests.app.conftest import FakeClassifier, serve, service_of

pytestmark = pytest.mark.anyio

APP = Path(__file__).resolve().parents[2] / "app"

OUT_OF_MEMORY: list[Callable[[], Exception]] = [
    lambda: torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
    MemoryError,
    lambda: RuntimeError("[enforce fail at alloc_cpu.cpp:126] DefaultCPUAllocator: can't allocate memory"),
]


class RustPanic(BaseException):
    """As pyo3's `PanicException`, which is no `Exception` either."""


@pytest.mark.parametrize("error", OUT_OF_MEMORY, ids=["cuda", "python", "torch on a CPU"])
async def test_batch_that_is_too_large_for_the_memory_is_computed_in_parts(
    classifier: FakeClassifier, error: Callable[[], Exception]
) -> None:
    whole = classifier.score

    def score(batch: Sequence[Encoded]) -> npt.NDArray[np.float32]:
        if len(batch) > 5:
            raise error()
        return whole(batch)

    classifier.score = score  # type: ignore[method-assign]
    texts = [f"text number {i}" for i in range(50)]
    async with serve(classifier) as client:
        answer = await client.post("/predict", json={"inputs": texts})
        assert (await client.get("/health/ready")).status_code == 200
    assert [entry["scores"][0]["score"] for entry in answer.json()["predictions"]] == [
        pytest.approx(max(classifier.positive(text), 1 - classifier.positive(text)), abs=1e-6) for text in texts
    ]
    assert max(map(len, classifier.batches)) <= 5


async def test_device_that_always_fails_costs_the_texts_and_not_the_server(classifier: FakeClassifier) -> None:
    whole = classifier.score

    def score(batch: Sequence[Encoded]) -> npt.NDArray[np.float32]:
        raise RuntimeError("CUDA error: device-side assert triggered")

    async with serve(classifier) as client:
        classifier.score = score  # type: ignore[method-assign]
        texts = [f"text {i}" for i in range(20)]
        several, single, triton = await asyncio.gather(
            client.post("/predict", json={"inputs": texts}),
            client.post("/", json={"inputs": "text"}),
            client.post(
                "/v2/models/sentiment/infer",
                json={"inputs": [{"name": "text", "shape": [1], "datatype": "BYTES", "data": ["text"]}]},
            ),
        )
        assert several.status_code == 200
        assert {entry["error"]["type"] for entry in several.json()["predictions"]} == {"compute_error"}
        assert (single.status_code, single.json()["error_type"], triton.status_code) == (500, "compute_error", 500)
        assert "assert" not in several.text + single.text + triton.text
        assert (await client.get("/health/ready")).status_code == 200

        classifier.score = whole  # type: ignore[method-assign]
        assert (await client.post("/", json={"inputs": "text"})).status_code == 200
        metrics = (await client.get("/metrics")).text
        assert 'sluice_texts_failed_total{model="sentiment",type="compute_error"} 22.0' in metrics
        assert service_of(client).registry.get(None).batcher.admission.texts == 0


@pytest.mark.parametrize("padding", [0, INLINE_ASCII_CHARS], ids=["on the event loop", "in a thread"])
@pytest.mark.parametrize("error", [RustPanic("at lib.rs"), ValueError("bad")], ids=["panic", "exception"])
async def test_tokenizer_that_raises_costs_one_text(
    classifier: FakeClassifier, error: BaseException, padding: int
) -> None:
    whole = classifier.encode

    def encode(texts: Sequence[str]) -> list[Encoded]:
        if any("bad" in text for text in texts):
            raise error
        return whole(texts)

    classifier.encode = encode  # type: ignore[method-assign]
    async with serve(classifier) as client:
        answer = await client.post("/predict", json={"inputs": ["good", "bad" + " " * padding, "fine"]})
        first, second, third = answer.json()["predictions"]
        assert second == {
            "error": {
                "type": "compute_error",
                "detail": "This text could not be computed. The server's log has the cause.",
            }
        }
        assert "score" in first
        assert "score" in third
        assert service_of(client).registry.get(None).batcher.admission.texts == 0


WALL_CLOCK = {"time.time", "time.time_ns", "datetime.now", "datetime.utcnow", "datetime.today", "date.today"}

DATES = {
    "deployer.py": ["time.time"],
    "registry.py": ["time.time"],
    "models.py": ["time.time"],
    "otel.py": ["time.time_ns"],
    "vllm.py": ["time.time"],
}
"""Places that mean a date: of a version that is served or refused, of the last answer, of a span, `created` in the form
of vLLM."""


def wall_clocks(source: str) -> list[str]:
    """Clocks that somebody may set and that a file reads: one that jumps would move deadlines."""
    names = [ast.unparse(node) for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Attribute)]
    imported = [
        f"{node.module}.{alias.name}"
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    ]
    return [name for name in names + imported if ".".join(name.split(".")[-2:]) in WALL_CLOCK]


async def test_times_are_measured_by_a_clock_that_nobody_sets() -> None:
    assert {path.name: found for path in APP.rglob("*.py") if (found := wall_clocks(path.read_text("utf-8")))} == DATES


async def test_every_way_to_ask_for_the_date_is_seen() -> None:
    source = "import datetime\nfrom time import time\ndatetime.datetime.now()\ntime.time()\ntime.monotonic()"
    assert sorted(wall_clocks(source)) == ["datetime.datetime.now", "time.time", "time.time"]

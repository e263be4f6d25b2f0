"""BentoML with adaptive batching.

BENCHMARK_THREADS=N BENCHMARK_CHECKPOINT=FOLDER PYTHON -m bentoml serve benchmarks.servers.bento:PackedService
"""

import os
from pathlib import Path

import bentoml

from benchmarks.lib.packed import PackedClassifier

MAX_TEXTS = 512
"""In a batch: the most that eight connections with 64 texts a request can have waiting."""

MAX_LATENCY_MS = 1000
"""Requests that would wait longer are refused; the smallest that refuses none here."""


@bentoml.service(workers=1, traffic={"timeout": 60}, logging={"access": {"enabled": False}})
class PackedService:
    """One process that serves and computes."""

    def __init__(self) -> None:
        checkpoint, threads = os.environ["BENCHMARK_CHECKPOINT"], int(os.environ["BENCHMARK_THREADS"])
        self._classifier = PackedClassifier(Path(checkpoint), threads=threads)

    @bentoml.api(  # type: ignore[untyped-decorator]
        route="/predict", batchable=True, max_batch_size=MAX_TEXTS, max_latency_ms=MAX_LATENCY_MS
    )
    def predict(self, inputs: list[str]) -> list[dict[str, str | float]]:
        """One prediction a text, of the texts of all requests that wait."""
        return self._classifier.predict(inputs)

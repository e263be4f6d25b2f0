"""A classifier that needs no network, and that can be made to fail."""

from collections.abc import Callable, Sequence
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from model.text import Encoded


class Lengths:
    """Calls a text `short`, `long` or `even` by its number of characters."""

    labels: tuple[str, ...] = ("short", "long", "even")
    task = "single_label"
    thresholds: tuple[float, ...] | None = None
    concurrent = True
    version = "0123456789ab"
    dtype = "float32"

    def __init__(self) -> None:
        self.before_score: Callable[[int], object] = lambda _: None
        self.calls = 0
        self._lock = Lock()

    def encode(self, texts: Sequence[str]) -> list[Encoded]:
        return [Encoded(np.arange(min(len(text), 5), dtype=np.int32), len(text) > 5) for text in texts]

    def score_all(self, encoded: Sequence[Encoded]) -> npt.NDArray[np.float32]:
        if encoded:
            with self._lock:
                self.calls += 1
            self.before_score(self.calls)
        sizes = np.array([text.num_tokens for text in encoded], dtype=np.float32).reshape(-1, 1)
        return np.concatenate([(6 - sizes) / 12, sizes / 12, np.full_like(sizes, 0.5)], axis=1)[:, self._order()]

    def _order(self) -> list[int]:
        return list(range(len(self.labels)))


@pytest.fixture
def classifier() -> Any:
    return Lengths()

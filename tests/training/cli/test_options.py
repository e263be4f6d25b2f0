"""Options that several commands share."""

import os
from collections.abc import Iterator

import joblib
import pytest
import torch

from training.cli.options import limit_threads


@pytest.fixture(autouse=True)
def _threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("RAYON_NUM_THREADS", raising=False)
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("asked", "quota", "threads", "of_tokenizer"),
    [(None, 64, 3, None), (None, 1, 1, "1"), (2, 64, 2, "2"), (2, 1, 2, "2")],
)
def test_threads_are_as_asked_or_within_the_quota(
    asked: int | None, quota: int, threads: int, of_tokenizer: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(joblib, "cpu_count", lambda: quota)
    limit_threads(asked)
    assert torch.get_num_threads() == threads
    assert os.environ.get("RAYON_NUM_THREADS") == of_tokenizer

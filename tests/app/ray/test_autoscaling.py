"""The number of replicas from what they report."""

from dataclasses import dataclass
from typing import Any

import pytest

from app.ray.autoscaling import QUEUED_TEXTS, ByQueuedTexts


@dataclass
class Context:
    current_num_replicas: int
    aggregated_metrics: dict[str, dict[Any, float]] | None


@pytest.mark.parametrize(
    ("reported", "wanted"),
    [
        pytest.param({"a": 64.0, "b": 64.0}, 1.0, id="half as busy as they may be"),
        pytest.param({"a": 128.0, "b": 128.0}, 2.0, id="as busy as they should be"),
        pytest.param({"a": 500.0, "b": 12.0}, 4.0, id="one of them far behind"),
        pytest.param({"a": 0.0, "b": 0.0}, 0.0, id="idle: the least number of replicas is Ray's to keep"),
    ],
)
def test_replicas_in_proportion_to_the_texts_under_way(reported: dict[str, float], wanted: float) -> None:
    assert ByQueuedTexts(128)(Context(2, {QUEUED_TEXTS: reported})) == (wanted, {})


@pytest.mark.parametrize("metrics", [None, {}, {QUEUED_TEXTS: {}}])
def test_nothing_changes_while_nobody_has_reported(metrics: dict[str, dict[Any, float]] | None) -> None:
    assert ByQueuedTexts(128)(Context(3, metrics)) == (3, {})

"""The architecture: what it accepts, what widths follow from it, and what older checkpoints say of it."""

from typing import Any

import pytest
from pydantic import ValidationError

from model.config import Architecture, CheckpointConfig, PrecisionThreshold


def _architecture(**changes: Any) -> Architecture:
    return Architecture.model_validate({"vocab_size": 10, "embedding_dim": 7, "hidden_size": 5} | changes)


def test_what_an_older_checkpoint_does_not_say_is_an_lstm_without_convolution() -> None:
    old = _architecture(num_layers=1, bidirectional=True, pooling="max_mean_last")
    assert (old.cell, old.conv_width) == ("lstm", 0)


@pytest.mark.parametrize(
    ("changes", "state_size", "pooled_size"),
    [
        ({}, 10, 30),
        ({"bidirectional": False, "pooling": "max"}, 5, 5),
        ({"num_layers": 3, "cell": "gru", "pooling": "attention"}, 10, 10),
        ({"num_layers": 0}, 7, 21),
        ({"num_layers": 0, "pooling": "mean", "conv_width": 3}, 7, 7),
    ],
)
def test_widths(changes: dict[str, Any], state_size: int, pooled_size: int) -> None:
    architecture = _architecture(**changes)
    assert (architecture.state_size, architecture.pooled_size) == (state_size, pooled_size)


@pytest.mark.parametrize(
    "changes", [{"conv_width": 2}, {"conv_width": -1}, {"conv_width": 33}, {"num_layers": 4}, {"cell": "elman"}]
)
def test_nonsense_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=next(iter(changes))):
        _architecture(**changes)


def test_thresholds_of_precision_are_optional_and_rise() -> None:
    old = {"labels": ["no", "yes"], "max_tokens": 8, "architecture": _architecture().model_dump()}
    assert CheckpointConfig.model_validate(old).precision_thresholds == ()
    thresholds = [PrecisionThreshold(precision=p, threshold=None, coverage=0) for p in (0.9, 0.95)]
    measured = CheckpointConfig.model_validate(old | {"precision_thresholds": thresholds})
    assert measured.precision_thresholds == tuple(thresholds)
    for wrong in (thresholds[::-1], thresholds[:1] * 2):
        with pytest.raises(ValidationError, match="precisions do not rise"):
            CheckpointConfig.model_validate(old | {"precision_thresholds": wrong})

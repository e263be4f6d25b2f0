"""Random networks and texts that attributions are tested on."""

from typing import Any

import numpy as np
import torch

from model.batch import Ids
from model.config import Architecture, Task
from model.explain.log_odds import Labels, LogOdds
from model.network import RecurrentClassifier
from model.temperature import Temperature

LENGTHS = (6, 0, 1, 11, 2)


def random_odds(
    task: Task = "single_label",
    num_labels: int = 3,
    spread: float = 0.5,
    temperature: Temperature = Temperature(1.7),  # noqa: B008
    **shape: Any,
) -> LogOdds:
    torch.manual_seed(0)
    values: dict[str, Any] = {"vocab_size": 20, "embedding_dim": 5, "hidden_size": 4} | shape
    architecture = Architecture(**values)
    network = RecurrentClassifier(architecture, num_labels).requires_grad_(False)
    for parameter in network.parameters():
        parameter.copy_(torch.randn_like(parameter) * spread)
    return LogOdds(network, task, temperature, torch.device("cpu"))


def random_rows(*lengths: int) -> list[Ids]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 20, length).astype(np.int32) for length in lengths]


def all_of(rows: list[Ids], label: int = 1) -> Labels:
    return np.full(len(rows), label, dtype=np.int64)

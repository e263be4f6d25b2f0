"""Trains fastText in a process of its own. Nothing heavy is imported here, so that the process begins at once."""

import importlib
import importlib.util
import os
from pathlib import Path
from typing import Any

MEMORY_BYTES = 4 * 2**30
"""Autotune counts a table that does not fit as a failed trial and goes on."""

RATES = (0.5, 0.25, 0.1)
"""Learning rates tried where autotune fails."""

MODEL, CHOICE, LOG = "model.bin", "choice.txt", "log.txt"


def train_here(package: str, arguments: dict[str, Any], folder: str) -> None:
    """Trains a model and writes it into `folder`, with the settings chosen and what the package prints."""
    with (Path(folder) / LOG).open("w", encoding="utf-8") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    if importlib.util.find_spec("resource"):
        resource: Any = importlib.import_module("resource")
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    model, choice = train_robustly(importlib.import_module(package), arguments)
    model.save_model(str(Path(folder) / MODEL))
    (Path(folder) / CHOICE).write_text(choice, encoding="utf-8")


def train_robustly(package: Any, arguments: dict[str, Any]) -> tuple[Any, str]:
    """Trains with autotune, or over a few learning rates where autotune fails.

    Autotune may find settings and then fail to train with them again ("Encountered NaN", or a table that does not fit
    beside the last one). Then the best on validation of plain runs over `RATES` is taken.
    """
    try:
        return package.train_supervised(**arguments), "autotuned"
    except (RuntimeError, MemoryError):
        plain = {key: value for key, value in arguments.items() if not key.startswith("autotune")}
    best: tuple[float, Any, str] | None = None
    for rate in RATES:
        try:
            model = package.train_supervised(**plain, lr=rate, epoch=25, wordNgrams=2)
        except (RuntimeError, MemoryError):
            continue
        precision = model.test(arguments["autotuneValidationFile"])[1]
        if best is None or precision > best[0]:
            best = precision, model, f"autotune failed; lr {rate}, 2-grams, 25 epochs"
    if best is None:
        raise RuntimeError("fastText diverges with every learning rate")
    return best[1:]

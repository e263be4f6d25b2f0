"""Process that times the CPU engine of one checkout; `benchmarks.engine.kernel` starts it and tells it when.

    python kernel_worker.py CHECKOUT CHECKPOINT ROWS.npz

ROWS.npz has for each shape the array `NAME` of token ids and `NAME.lengths`. For each line read, which
names a shape, one line is written: nanoseconds of CPU time a token. It imports nothing but the
checkout's `model`, so that older commits can be timed. `ENGINE_VARIANT=pytorch` times the network in
float32 instead.
"""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

LEAST_S = 0.1
"""Seconds that one figure takes at least; short calls are repeated."""


def load(folder: Path) -> Callable[[list[Any]], object]:
    """Returns the function that computes logits of token ids, with the weights of a checkpoint folder."""
    from model.checkpoint import load_checkpoint
    from model.engine.cpu import Engine

    loaded = load_checkpoint(folder)
    if os.environ.get("ENGINE_VARIANT") == "pytorch":
        del os.environ["ENGINE_VARIANT"]
        import torch

        from model.pytorch import computation

        torch.set_num_threads(1)
        return computation(loaded, "cpu", "float32", 1).logits
    try:
        return Engine(loaded.config.architecture, loaded.weights, threads=1).logits
    except TypeError:  # before the weights were read without PyTorch
        return Engine(loaded.build_network(), threads=1).logits  # type: ignore[call-arg, arg-type]


def main() -> None:
    """Answers until the input ends."""
    checkout, checkpoint, file = sys.argv[1:]
    sys.path.insert(0, checkout)
    logits = load(Path(checkpoint))
    arrays = np.load(file)
    for line in sys.stdin:
        name = line.strip()
        lengths = arrays[f"{name}.lengths"]
        rows = np.split(arrays[name], np.cumsum(lengths)[:-1])
        calls, began = 0, time.process_time()
        while (spent := time.process_time() - began) < LEAST_S or not calls:
            logits(rows)
            calls += 1
        print(spent / calls / lengths.sum() * 1e9, flush=True)


if __name__ == "__main__":
    main()

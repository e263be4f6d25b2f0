"""Logits and pooled states by PyTorch: on a GPU, and on a CPU what `model.engine.cpu` does not compute."""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from model.batch import Ids
from model.checkpoint import Checkpoint
from model.computation import INT8, Computation, on_cpu_engine
from model.device import fastest_dtype, resolve_device
from model.engine import cpu, cuda
from model.engine.cuda import CudaEngine
from model.errors import ConfigError
from model.padding import LENGTH_STEP, pad

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def computation(checkpoint: Checkpoint, device: str, dtype: str, threads: int | None) -> Computation:
    """The network of a checkpoint on the device of this name, by an engine where one fits.

    Args:
        checkpoint: loaded.
        device, dtype, threads: as `model.classifier.Classifier.load` takes them.

    Raises:
        ConfigError: the device or the number format is not available.
    """
    found, architecture = resolve_device(device), checkpoint.config.architecture
    reason = "it is for the CPU" if found.type != "cpu" else cpu.unfit(architecture)
    if dtype == INT8 and reason is not None:
        raise ConfigError(f"dtype int8 is not available here: {reason}")
    if dtype in ("auto", INT8) and reason is None:
        return on_cpu_engine(checkpoint, threads)
    if dtype == "auto":
        # A CPU without its engine computes exactly, even where bfloat16 would be faster.
        dtype = "bfloat16" if found.type == "cuda" and fastest_dtype(found) == torch.bfloat16 else "float32"
    network, number = checkpoint.build_network().requires_grad_(False), DTYPES[dtype]
    if found.type == "cuda" and cuda.unfit(architecture, number) is None:
        engine = CudaEngine(network, found, number)
        pads, logits, warm_up = False, engine.logits, engine.warm_up
    else:
        pads, logits, warm_up = True, partial(_padded, network.forward, found), lambda: None
    network.to(found, number)  # the engine for a GPU has no pooled states
    pooled = partial(_padded, network.pooled, found)
    return Computation(str(found), dtype, pads, logits, pooled, pads_pooled=True, warm_up=warm_up)


def _padded(
    compute: Callable[[Tensor, Tensor], Tensor], device: torch.device, rows: Sequence[Ids]
) -> npt.NDArray[np.float32]:
    """Numbers [B, …] of texts, by PyTorch."""
    padded = pad(rows, multiple_of=LENGTH_STEP).to(device)
    with torch.inference_mode():
        return compute(padded.ids_TB, padded.lengths_B).float().cpu().numpy()

"""Ways to answer the same token ids with the same weights on a device: our kernels, and cuDNN twice.

kernel     `model.engine.cuda`: all texts in one call.
packed     `torch.nn.LSTM` over packed sequences, sorted by length, in batches of so many texts: cuDNN at its best.
padded     the network as Sluice served it on CUDA before there were kernels: `model.network`, padded batches.
"""

import copy
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from benchmarks.lib.packed import Packed
from model.batch import Ids
from model.engine.cuda import CudaEngine
from model.network import RecurrentClassifier
from model.padding import pad

Floats = npt.NDArray[np.float32]
Answer = Callable[[Sequence[Ids]], Floats]
"""Logits [N, C] on the host, of token ids there."""

TODAY_ROWS = 64
"""Texts of a batch by default."""


@dataclass(frozen=True)
class Device:
    """Device, number formats and sizes of a run.

    Attributes:
        where: the device.
        counts: numbers of texts in a call.
        seconds: that one figure may take.
    """

    where: torch.device
    counts: tuple[int, ...]
    seconds: float

    @property
    def is_gpu(self) -> bool:
        """True unless it is a dry run."""
        return self.where.type == "cuda"

    @property
    def half(self) -> torch.dtype:
        """The format of 16 bits: Triton's interpreter multiplies no bfloat16."""
        return torch.bfloat16 if self.is_gpu else torch.float16

    def wait(self) -> None:
        """Until the device has done all that it was given."""
        if self.is_gpu:
            torch.cuda.synchronize(self.where)

    def time(self, call: Callable[[], object], *, seconds: float | None = None) -> float:
        """Median seconds of a call, the device's work included."""
        limit = self.seconds if seconds is None else seconds
        call()
        self.wait()
        spent: list[float] = []
        begin = time.perf_counter()
        while len(spent) < 3 or (time.perf_counter() - begin < limit and len(spent) < 500):
            began = time.perf_counter()
            call()
            self.wait()
            spent.append(time.perf_counter() - began)
            if time.perf_counter() - begin > 4 * limit:
                break
        return statistics.median(spent)


def kernel(network: RecurrentClassifier, device: Device, dtype: torch.dtype) -> Answer:
    """Classifies by our kernels."""
    return CudaEngine(network, device.where, dtype).logits


def packed(network: RecurrentClassifier, device: Device, dtype: torch.dtype, rows: int) -> Answer:
    """cuDNN over packed sequences."""
    module = Packed(_moved(network, device, dtype)).to(device.where, dtype).eval()
    module.ngrams = _moved(network, device, torch.float32).ngrams  # as in the kernels

    def compute(batch: Sequence[Ids]) -> torch.Tensor:
        lengths_B = torch.tensor([max(1, len(row)) for row in batch])
        ids_TB = pad(batch).ids_TB
        return module(ids_TB.T.contiguous().to(device.where, non_blocking=True), lengths_B)  # type: ignore[no-any-return]

    return _in_batches(compute, len(network.head.bias), rows)


def padded(network: RecurrentClassifier, device: Device, dtype: torch.dtype, rows: int = TODAY_ROWS) -> Answer:
    """Classifies by cuDNN on padded batches."""
    module = _moved(network, device, dtype)

    def compute(batch: Sequence[Ids]) -> torch.Tensor:
        longest = max(len(row) for row in batch)
        there = pad(batch, num_steps=-(-longest // 8) * 8).to(device.where)
        return module(there.ids_TB, there.lengths_B)  # type: ignore[no-any-return]

    return _in_batches(compute, len(network.head.bias), rows)


def _moved(network: RecurrentClassifier, device: Device, dtype: torch.dtype) -> RecurrentClassifier:
    """Copies the network to a device and format."""
    return copy.deepcopy(network).to(device.where, dtype).eval()


def _in_batches(compute: Callable[[Sequence[Ids]], torch.Tensor], num_labels: int, rows: int) -> Answer:
    """Batches of `rows` texts, sorted by length; the device is waited for once."""

    def answer(texts: Sequence[Ids]) -> Floats:
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        result = np.empty((len(texts), num_labels), dtype=np.float32)
        with torch.inference_mode():
            parts = [compute([texts[i] for i in order[at : at + rows]]) for at in range(0, len(order), rows)]
            result[order] = torch.cat(parts).float().cpu().numpy()
        return result

    return answer

"""Classifier of texts: from texts to calibrated probabilities, on any device.

A server or a script needs this object alone; its callers see NumPy arrays and no tensors.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from model.availability import gpu_possible, require_torch
from model.batch import Ids, lengths_of, map_batches
from model.checkpoint import Checkpoint, load_checkpoint
from model.computation import DTYPES, INT8, Computation, on_cpu_engine
from model.config import Architecture, PrecisionThreshold, Task
from model.engine import cpu
from model.errors import ConfigError
from model.probabilities import probabilities
from model.profile import Profile, Profiler, Reference
from model.temperature import Temperature
from model.text import Encoded, TextEncoder, check_texts
from model.vectors import Vectors

Probabilities = npt.NDArray[np.float32]


class Classifier:
    """Loaded checkpoint on a device.

    Attributes:
        labels: names, in the order of a row of probabilities.
        task: `single_label` or `multi_label`.
        version: first 12 hex digits of the checkpoint's digest.
        max_tokens: longer texts are cut, and marked as truncated.
        thresholds: of a multi-label model, the probability from which each label is given; None is 1/2 for all.
        precision_thresholds: from which probability an answer can be trusted so far; empty if not measured.
        metrics: contents of `metrics.json` in the checkpoint.
        reference: profile of the answers to held-out texts; None if the checkpoint has none.
        device, dtype: where and in which number format it computes.
        concurrent: True if several threads may compute at a time, each with its own texts.
        pads: True if each text of a batch costs as much as the longest one.
        vector_size: numbers of a sentence vector.
        pads_vectors: as `pads`, for sentence vectors.
    """

    def __init__(
        self, checkpoint: Checkpoint, *, device: str = "auto", dtype: str = "float32", threads: int | None = None
    ) -> None:
        if dtype not in DTYPES:
            raise ConfigError(f"dtype {dtype!r} is not one of {', '.join(DTYPES)}")
        config = checkpoint.config
        self.labels: tuple[str, ...] = config.labels
        self.task: Task = config.task
        self.version = checkpoint.version
        self.max_tokens = config.max_tokens
        self.thresholds: tuple[float, ...] | None = config.thresholds
        self.precision_thresholds: tuple[PrecisionThreshold, ...] = config.precision_thresholds
        self.metrics: Mapping[str, Any] = checkpoint.metrics
        self.reference: Reference | None = checkpoint.reference
        reason = needs_torch(config.architecture, device=device, dtype=dtype)
        with ThreadPoolExecutor(1, "weights") as pool:  # beside the vocabulary, which takes as long
            engine = None if reason else pool.submit(on_cpu_engine, checkpoint, threads)
            self._temperature = Temperature.of_checkpoint(config, checkpoint.tokenizer)
            self._encoder = TextEncoder(checkpoint.tokenizer, max_tokens=config.max_tokens)
            self._profiler = Profiler(
                checkpoint.tokenizer, task=config.task, num_labels=len(config.labels), thresholds=config.thresholds
            )
            self._computation = (
                engine.result() if engine else _by_torch(checkpoint, device, dtype, threads, reason=reason or "")
            )
        self.device, self.dtype = self._computation.device, self._computation.dtype
        self.pads, self.pads_vectors = self._computation.pads, self._computation.pads_pooled
        self.concurrent = self.dtype == INT8  # the engine for CPUs shares nothing but weights
        self.vector_size = config.architecture.pooled_size

    @classmethod
    def load(
        cls, directory: Path | str, *, device: str = "auto", dtype: str = "float32", threads: int | None = None
    ) -> "Classifier":
        """Reads a checkpoint folder.

        Args:
            directory: the folder.
            device: `auto` (CUDA if there is one), `cpu`, `cuda` or `cuda:N`.
            dtype: `float32`, `bfloat16`, `int8` (see `model.engine.cpu`; CPU only) or `auto`: bfloat16 on a GPU that
                has it, int8 on a CPU where it can be had, else float32.
            threads: cores that share a batch where `model.engine.cpu` computes; by default as PyTorch uses here.

        Raises:
            CheckpointError: the folder cannot be used; says which file and why.
            ConfigError: the device or number format is not available.
        """
        return cls(load_checkpoint(Path(directory)), device=device, dtype=dtype, threads=threads)

    def encode(self, texts: Sequence[str]) -> list[Encoded]:
        """Tokenises; safe to call from several threads and never fails on any string."""
        return self._encoder.encode(texts)

    def logits(self, batch: Sequence[Encoded]) -> Probabilities:
        """Calibrated logits [len(batch), len(labels)] of one batch: over the temperature. One thread at a time."""
        return self.calibrate(self.raw_logits(batch), [text.ids for text in batch])

    def raw_logits(self, batch: Sequence[Encoded]) -> Probabilities:
        """Logits [len(batch), len(labels)] of one batch, before the temperature. One thread at a time."""
        return self._computation.logits([text.ids for text in batch])

    def vectors(self, batch: Sequence[Encoded]) -> Vectors:
        """Sentence vectors [len(batch), vector_size] of one batch: the pooled states. One thread at a time.

        Of any length (`model.vectors.unit_length`); zeros of a text without tokens.
        """
        return self._computation.pooled([text.ids for text in batch])

    def calibrate(self, logits_BC: Probabilities, rows: Sequence[Ids]) -> Probabilities:
        """Raw logits over the temperature of their texts, whose token ids are `rows`. Safe on several threads."""
        return self._temperature.divide(logits_BC, rows)

    def score(self, batch: Sequence[Encoded]) -> Probabilities:
        """Calibrated probabilities [len(batch), len(labels)] of one batch.

        Rows sum to 1 for a single-label model; for a multi-label one each entry is a probability by itself. The
        caller bounds the cost: it grows with the longest text times the number of texts if the classifier `pads`, else
        with the sum of their tokens. One thread at a time.
        """
        return self.probabilities(self.logits(batch))

    def probabilities(self, logits_BC: Probabilities) -> Probabilities:
        """Softmax, or for multi-label a sigmoid each, of calibrated logits."""
        return probabilities(logits_BC, task=self.task)

    def profile(self, batch: Sequence[Encoded], probabilities_BC: Probabilities) -> Profile:
        """Profile of these texts, at least one, and their answers. Safe to call from several threads."""
        return self._profiler.profile(batch, probabilities_BC)

    def predict(self, texts: Sequence[str], *, max_batch_tokens: int = 8192) -> Probabilities:
        """Probabilities [len(texts), len(labels)] of any number of texts, batched by length.

        Raises:
            TypeError: `texts` is a single text, or something in it is no text.
        """
        check_texts(texts)
        return self.score_all(self.encode(texts), max_batch_tokens=max_batch_tokens)

    def score_all(self, encoded: Sequence[Encoded], *, max_batch_tokens: int = 8192) -> Probabilities:
        """Probabilities [len(encoded), len(labels)] of any number of texts' tokens, batched by length.

        On one thread at a time, or on several if `concurrent`.
        """
        if self.dtype == INT8:  # the engine for CPUs takes any number, sorts them itself and pads none
            return self.score(encoded)
        return map_batches(
            lambda rows: self.score([encoded[i] for i in rows]),
            lengths_of([text.ids for text in encoded]),
            width=len(self.labels),
            max_tokens=max_batch_tokens,
            max_rows=1024,
        )

    def warm_up(self) -> None:
        """Runs a batch of each length up to the limit, doubling, so that no request pays for a first use."""
        self._computation.warm_up()
        length = 1
        while True:
            length = min(length, self.max_tokens)
            for rows in (1, 8):
                texts = [Encoded(np.zeros(length, dtype=np.int32))] * rows
                self.score(texts)
                self.vectors(texts)
            if length == self.max_tokens:
                return
            length *= 2


def needs_torch(architecture: Architecture, *, device: str = "auto", dtype: str = "auto") -> str | None:
    """Reason why PyTorch has to be asked, as a clause; None where `model.engine.cpu` answers without it.

    Args:
        architecture: of the network.
        device, dtype: as `Classifier.load` takes them.
    """
    if device not in ("auto", "cpu"):
        return f"the device is to be {device}"
    if device == "auto" and gpu_possible():
        return "there may be a GPU"
    if dtype not in ("auto", INT8):
        return f"the number format is to be {dtype}"
    reason = cpu.unfit(architecture)
    return None if reason is None else f"the engine for CPUs cannot: {reason}"


def _by_torch(checkpoint: Checkpoint, device: str, dtype: str, threads: int | None, *, reason: str) -> Computation:
    """The network on the device that PyTorch finds.

    Raises:
        ConfigError: the device or the number format is not available, or PyTorch is not installed.
    """
    require_torch(reason)
    from model.pytorch import computation  # here, since a server whose engine answers does without PyTorch

    return computation(checkpoint, device, dtype, threads)


def set_num_threads(num_threads: int) -> None:
    """Bounds the threads that one operation of PyTorch uses in this process.

    Raises:
        ConfigError: fewer than one.
    """
    if num_threads < 1:
        raise ConfigError(f"threads must be at least 1, not {num_threads}")
    import torch  # here, as above

    torch.set_num_threads(num_threads)

"""The training texts that a model holds to be most like a text: nearest by the vector that its head reads.

A wrong label there, or none of the kind, often tells why a prediction is wrong. Likeness is the cosine of the pooled
vectors of the recurrent layers; n-grams beside them have no part in it.
Source: Caruana et al. 1999, "Case-based explanation of non-case-based learning methods" (nearest by hidden
activations).

Shape suffixes: Q texts asked about, N training texts of one chunk, K nearest so far, P pooled vector.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from model.batch import lengths_of, map_batches
from model.checkpoint import Checkpoint, load_checkpoint
from model.device import resolve_device
from model.padding import pad
from model.text import TextEncoder
from tables.errors import Row
from tables.labels import Names
from training.data.dataset import Dataset
from training.evaluation.evaluate import BATCH_TOKENS, Mistake

Floats = npt.NDArray[np.float32]

NEIGHBOURS = 3
CHUNK = 4096
"""Training texts whose vectors are held at once."""


@dataclass(frozen=True, slots=True)
class Neighbour:
    """Training text that is near a text asked about.

    Attributes:
        similarity: cosine, -1 to 1; 0 of a text without tokens.
        row: its place in the training file.
        labels: its own.
    """

    similarity: float
    row: Row
    labels: Names
    text: str


class Vectors:
    """Turns texts into pooled vectors of length 1."""

    def __init__(self, checkpoint: Checkpoint, *, device: str = "auto") -> None:
        self._device = resolve_device(device)
        self._network = checkpoint.build_network().requires_grad_(False).to(self._device)
        self._encoder = TextEncoder(checkpoint.tokenizer, max_tokens=checkpoint.config.max_tokens)

    def __call__(self, texts: Sequence[str]) -> Floats:
        """Vectors [N, P]; zeros for a text without tokens."""
        rows = [text.ids for text in self._encoder.encode(texts)]

        def pooled(chosen: npt.NDArray[np.int64]) -> Floats:
            batch = pad([rows[i] for i in chosen]).to(self._device)
            pooled_BP = self._network.encoder(self._network.embed(batch.ids_TB), batch.lengths_B)
            return torch.nn.functional.normalize(pooled_BP.float(), dim=1).cpu().numpy()

        width = self._network.architecture.pooled_size
        with torch.inference_mode():
            return map_batches(pooled, lengths_of(rows), width=width, max_tokens=BATCH_TOKENS, max_rows=256)


def nearest_to(checkpoint: Path, mistakes: Sequence[Mistake], trained: Dataset, device: str) -> list[list[Neighbour]]:
    """Finds the texts of `trained` that are nearest to each mistake of the checkpoint in a folder."""
    vectors = Vectors(load_checkpoint(checkpoint), device=device)
    return nearest(vectors, [mistake.text for mistake in mistakes], trained)


def nearest(
    vectors: Vectors, texts: Sequence[str], dataset: Dataset, *, count: int = NEIGHBOURS, chunk: int = CHUNK
) -> list[list[Neighbour]]:
    """Finds the nearest `count` of `dataset` for each of `texts`, nearest first; of equally near ones the earlier rows.

    Holds the vectors of `texts` and of `chunk` texts of `dataset` at a time.
    """
    asked_QP = vectors(texts)
    similarities_QK = np.zeros((len(texts), 0), dtype=np.float32)
    places_QK = np.zeros((len(texts), 0), dtype=np.int64)
    for start in range(0, len(dataset), chunk):
        found_QN = asked_QP @ vectors(dataset.texts[start : start + chunk]).T
        new_QN = np.broadcast_to(np.arange(start, start + found_QN.shape[1]), found_QN.shape)
        candidates = np.concatenate([similarities_QK, found_QN], axis=1)
        places = np.concatenate([places_QK, new_QN], axis=1)
        best_QK = np.argsort(-candidates, axis=1, kind="stable")[:, :count]
        similarities_QK = np.take_along_axis(candidates, best_QK, axis=1)
        places_QK = np.take_along_axis(places, best_QK, axis=1)
    return [
        [
            Neighbour(float(similarity), dataset.rows[i], dataset.labels[i], dataset.texts[i])
            for similarity, i in zip(similarities_K, places_K.tolist(), strict=True)
        ]
        for similarities_K, places_K in zip(similarities_QK, places_QK, strict=True)
    ]

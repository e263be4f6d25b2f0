"""The training texts that a model holds to be most like a text: nearest by the vector that its head reads.

A wrong label there, or none of the kind, often tells why a prediction is wrong. Likeness is the cosine of the pooled
vectors of the recurrent layers; n-grams beside them have no part in it.
Source: Caruana et al. 1999, "Case-based explanation of non-case-based learning methods" (nearest by hidden
activations).

Shape suffixes: Q texts asked about, N training texts of one chunk, K nearest so far, P pooled vector.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from model.classifier import Classifier
from model.vectors import Vectors, embed
from tables.errors import Row
from tables.labels import Names
from training.data.dataset import Dataset
from training.evaluation.evaluate import Mistake

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


def nearest_to(checkpoint: Path, mistakes: Sequence[Mistake], trained: Dataset, device: str) -> list[list[Neighbour]]:
    """Finds the texts of `trained` that are nearest to each mistake of the checkpoint in a folder."""
    vectors = partial(embed, Classifier.load(checkpoint, device=device))
    return nearest(vectors, [mistake.text for mistake in mistakes], trained)


def nearest(
    vectors: Callable[[Sequence[str]], Vectors],
    texts: Sequence[str],
    dataset: Dataset,
    *,
    count: int = NEIGHBOURS,
    chunk: int = CHUNK,
) -> list[list[Neighbour]]:
    """Finds the nearest `count` of `dataset` for each of `texts`, nearest first; of equally near ones the earlier rows.

    Holds the vectors of `texts` and of `chunk` texts of `dataset` at a time; `vectors` gives them at length 1.
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

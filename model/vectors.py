"""Sentence vectors of any number of texts, and their length.

Shape suffixes: N texts, D numbers of a vector.
"""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from model.batch import lengths_of, map_batches
from model.text import Encoded, check_texts

Vectors = npt.NDArray[np.float32]

MAX_ROWS = 1024


class GivesVectors(Protocol):
    """Part of a classifier or an embedder that sentence vectors need."""

    @property
    def vector_size(self) -> int:
        """Numbers of a vector."""

    def encode(self, texts: Sequence[str]) -> list[Encoded]:
        """Tokens of each text."""

    def vectors(self, batch: Sequence[Encoded]) -> Vectors:
        """Vectors (texts, vector_size) of one batch, of any length."""


def embed(
    model: GivesVectors, texts: Sequence[str], *, normalize: bool = True, max_batch_tokens: int = 8192
) -> Vectors:
    """Sentence vectors [len(texts), vector_size] of any number of texts, batched by length.

    Args:
        model: a `model.classifier.Classifier` or a `model.embedder.Embedder`.
        texts: each is read by itself.
        normalize: scales each vector to length 1, so that a dot product of two is their cosine.
        max_batch_tokens: padded tokens that are computed together.

    Returns:
        float32; zeros for a text without tokens.

    Raises:
        TypeError: `texts` is a single text, or something in it is no text.
    """
    check_texts(texts)
    encoded = model.encode(texts)
    found: Vectors = map_batches(
        lambda rows: model.vectors([encoded[i] for i in rows]),
        lengths_of([text.ids for text in encoded]),
        width=model.vector_size,
        max_tokens=max_batch_tokens,
        max_rows=MAX_ROWS,
    )
    return unit_length(found) if normalize else found


def unit_length(vectors_ND: Vectors) -> Vectors:
    """The vectors scaled to length 1; one of zeros, of a text without tokens, stays as it is.

    >>> unit_length(np.array([[3, 4], [0, 0]], dtype=np.float32)).tolist()
    [[0.6000000238418579, 0.800000011920929], [0.0, 0.0]]
    """
    lengths_N1 = np.linalg.norm(vectors_ND, axis=1, keepdims=True)
    lengths_N1[lengths_N1 == 0] = 1
    found: Vectors = vectors_ND / lengths_N1
    return found

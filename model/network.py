"""The classifier that trains and serves: an embedding, the encoder of `model.encoder`, a linear head.

Shape suffixes: T time steps, B batch, E embedding, C labels, U distinct token ids of a batch, V vocabulary.
"""

from collections.abc import Mapping
from typing import Any

import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from model.config import Architecture
from model.encoder import Dropouts, Encoder
from model.ngrams import NgramBag


class RecurrentClassifier(nn.Module):
    """An embedding, an encoder and a linear head, and a bag of n-grams beside them where there is one.

    Args:
        architecture: the shape.
        num_labels: C.
        dropouts: rates for training mode; evaluation drops nothing.
    """

    def __init__(self, architecture: Architecture, num_labels: int, dropouts: Dropouts | None = None) -> None:
        super().__init__()
        self.architecture = architecture
        self.dropouts = dropouts or Dropouts()
        self.encoder = Encoder(architecture, self.dropouts)
        self.embedding = nn.Parameter(torch.empty(architecture.vocab_size, architecture.embedding_dim))
        self.head = nn.Linear(architecture.pooled_size, num_labels)
        buckets = architecture.ngram_buckets
        self.ngrams = NgramBag(buckets, architecture.ngram_order, num_labels) if buckets else None
        if not self.embedding.is_meta:  # there it would import PyTorch's compiler: two seconds and 60 MB for nothing
            nn.init.normal_(self.embedding, std=0.1)
        nn.init.xavier_uniform_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, ids_TB: Tensor, lengths_B: Tensor) -> Tensor:
        """Logits [B, C] of padded token ids."""
        logits_BC = self.from_embedded(self.embed(ids_TB), lengths_B)
        if self.ngrams is not None:
            logits_BC = logits_BC + self.ngrams(ids_TB, lengths_B)
        return logits_BC

    def embed(self, ids_TB: Tensor) -> Tensor:
        """Vectors [T, B, E] of token ids.

        In training each distinct token is looked up once, so that the gradient of the embedding is sparse: U rows and
        not V.
        """
        if not self.training:
            return F.embedding(ids_TB, self.embedding)
        ids_U, places_TB = torch.unique(ids_TB, return_inverse=True)
        rows_UE = F.embedding(ids_U, self.embedding, sparse=True)
        if self.dropouts.word:
            rows_UE = rows_UE * F.dropout(torch.ones_like(rows_UE[:, :1]), self.dropouts.word)
        x_TBE = F.embedding(places_TB, rows_UE)
        if self.dropouts.token:
            x_TBE = x_TBE * F.dropout(torch.ones_like(x_TBE[:, :, :1]), self.dropouts.token)
        return x_TBE

    def from_embedded(self, x_TBE: Tensor, lengths_B: Tensor) -> Tensor:
        """Logits [B, C] of embedded texts, without those of the n-grams; values in the padding have no effect."""
        pooled_BP = F.dropout(self.encoder(x_TBE, lengths_B), self.dropouts.pooled, self.training)
        logits_BC: Tensor = self.head(pooled_BP)
        return logits_BC

    def pooled(self, ids_TB: Tensor, lengths_B: Tensor) -> Tensor:
        """Pooled states [B, P] of padded token ids, which the head reads."""
        pooled_BP: Tensor = self.encoder(self.embed(ids_TB), lengths_B)
        return pooled_BP

    def weights(self) -> dict[str, Tensor]:
        """Weights by the names that files give them (see `stored_name`); they share memory with the network's."""
        return {stored_name(name): weight for name, weight in self.state_dict().items()}

    def load_weights(self, weights: Mapping[str, Tensor], *, assign: bool = False) -> None:
        """Copies weights, named as in `weights`, into the network; `assign` puts them themselves there.

        Raises:
            KeyError: a weight is missing.
            RuntimeError: a weight has another shape.
        """
        self.load_state_dict({name: weights[stored_name(name)] for name in self.state_dict()}, assign=assign)


def stored_name(name: str) -> str:
    """Name in a checkpoint of a weight of `RecurrentClassifier`: the encoder's weights have no prefix there.

    >>> stored_name("encoder.layers.0.1.bias"), stored_name("head.bias")
    ('layers.0.1.bias', 'head.bias')
    """
    return name.removeprefix("encoder.")


def to_arrays(weights: Mapping[str, Tensor]) -> dict[str, npt.NDArray[Any]]:
    """Weights as `model.checkpoint.Checkpoint` has them: arrays, which share memory with tensors of the CPU."""
    return {name: weight.detach().cpu().numpy() for name, weight in weights.items()}

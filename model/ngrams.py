"""A linear model over hashed n-grams of tokens, added to the network's logits: what a bag of words knows, at once.

Recurrent layers need many texts before they know what a linear model learns from a few; beside one they start from
there.

Source: Cheng et al. 2016, "Wide & Deep Learning", eq. 3 (the sum of the logits); Weinberger et al. 2009 (hashing);
Joulin et al. 2017 (hashed n-grams of tokens for text).

Shape suffixes: T time steps, B batch, C labels, G distinct buckets of a batch.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

MULTIPLIER = 0x9E3779B97F4A7C15 - 2**64
"""2^64 over the golden ratio, as a signed 64-bit number: multiplicative hashing, Knuth, TAOCP vol. 3, section 6.4."""

HASH_SHIFT = 20
"""The middle bits of a product depend on all lower ones of the factor; the lowest do not."""

SCALE = 20.0
"""Logits are this much times the sum of an n-gram's weights over the root of their number. The root makes texts of all
lengths alike, as a unit-length TF-IDF vector does; the factor lets weights stay near the size that Adam's steps
suit."""


def buckets_of(ids_TB: Tensor, order: int, num_buckets: int) -> Tensor:
    """The bucket of the n-gram that begins at each place, int64 [T - order + 1, B], 0 to `num_buckets` - 1.

    Wrapping 64-bit arithmetic: the same on every machine.
    """
    num_places = ids_TB.shape[0] - order + 1
    key_TB = torch.zeros_like(ids_TB[:num_places])
    for offset in range(order):
        key_TB = (key_TB + ids_TB[offset : offset + num_places] + 1) * MULTIPLIER
    return (key_TB >> HASH_SHIFT) % num_buckets


class NgramBag(nn.Module):
    """Logits from the n-grams of 1 to `max_order` tokens; zero before training.

    Attributes:
        weight: [buckets, C], shared by all orders.
    """

    def __init__(self, num_buckets: int, max_order: int, num_labels: int) -> None:
        super().__init__()
        self.max_order = max_order
        self.weight = nn.Parameter(torch.zeros(num_buckets, num_labels))

    def forward(self, ids_TB: Tensor, lengths_B: Tensor, *, dropout: float = 0.0) -> Tensor:
        """Logits [B, C] of padded token ids; zeros for a text without tokens.

        Args:
            ids_TB, lengths_B: see `model.batch.Batch`.
            dropout: share of the n-grams that are left out, in training mode.
        """
        num_steps = ids_TB.shape[0]
        sum_BC = self.weight.new_zeros(len(lengths_B), self.weight.shape[1])
        for order in range(1, min(self.max_order, num_steps) + 1):
            places_T1 = torch.arange(num_steps - order + 1, device=lengths_B.device).unsqueeze(1)
            inside_TB = (places_T1 + order <= lengths_B).to(self.weight.dtype)
            inside_TB = F.dropout(inside_TB, dropout, self.training)
            rows_TBC = self._rows(buckets_of(ids_TB, order, len(self.weight)))
            sum_BC = sum_BC + (rows_TBC * inside_TB.unsqueeze(2)).sum(0)
        count_B1 = (lengths_B * self.max_order).clamp(min=1).unsqueeze(1).to(self.weight.dtype)
        return SCALE * sum_BC / count_B1.sqrt()

    def _rows(self, buckets_TB: Tensor) -> Tensor:
        """Weights [T, B, C]; in training by distinct bucket, so that the gradient is sparse."""
        if not self.training:
            return F.embedding(buckets_TB, self.weight)
        buckets_G, places_TB = torch.unique(buckets_TB, return_inverse=True)
        return F.embedding(places_TB, F.embedding(buckets_G, self.weight, sparse=True))

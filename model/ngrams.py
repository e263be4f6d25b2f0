"""Linear model over the hashed n-grams of a text, whose logits are added to the network's.

It is fitted apart from the network (`training.linear.ngrams`), by a method that suits it better than gradient steps.

Source: Cheng et al. 2016, "Wide & Deep Learning", eq. 3 (the sum of the logits); Weinberger et al. 2009 (hashing);
Wang & Manning 2012 (n-grams that are there or not, not their number); division by the root of how many there are is the
Euclidean norm of TF-IDF's vectors (Joachims 1998, section 5.2), without which logits grow with the text.

Shape suffixes: T time steps, B batch, C labels, P places: of all n-grams of a text, one order after another.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

MULTIPLIER = 0x9E3779B97F4A7C15 - 2**64
"""2^64 over the golden ratio, as a signed 64-bit number: multiplicative hashing, Knuth, TAOCP vol. 3, section 6.4."""

HASH_SHIFT = 20
"""The middle bits of a product depend on all lower ones of the factor; the lowest do not."""


def buckets_of(ids_TB: Tensor, order: int, num_buckets: int) -> Tensor:
    """The bucket of the n-gram that begins at each place, int64 [T - order + 1, B], 0 to `num_buckets` - 1.

    Wrapping 64-bit arithmetic: the same on every machine.
    """
    num_places = ids_TB.shape[0] - order + 1
    key_TB = torch.zeros_like(ids_TB[:num_places])
    for offset in range(order):
        key_TB = (key_TB + ids_TB[offset : offset + num_places] + 1) * MULTIPLIER
    return (key_TB >> HASH_SHIFT) % num_buckets


def distinct_buckets(ids_TB: Tensor, lengths_B: Tensor, max_order: int, num_buckets: int) -> Tensor:
    """The buckets of the n-grams of 1 to `max_order` tokens of each text, int64 [P, B], each once.

    Places of padding, and of a bucket that the text has already, hold `num_buckets`.
    """
    num_steps = ids_TB.shape[0]
    found = [torch.full_like(ids_TB[:1], num_buckets)]
    for order in range(1, min(max_order, num_steps) + 1):
        places_T1 = torch.arange(num_steps - order + 1, device=lengths_B.device).unsqueeze(1)
        outside_TB = places_T1 + order > lengths_B
        found.append(buckets_of(ids_TB, order, num_buckets).masked_fill(outside_TB, num_buckets))
    sorted_PB = torch.cat(found).sort(dim=0).values
    repeated_PB = sorted_PB[1:] == sorted_PB[:-1]
    return torch.cat([sorted_PB[:1], sorted_PB[1:].masked_fill(repeated_PB, num_buckets)])


class NgramBag(nn.Module):
    """Bag of n-grams of 1 to `max_order` tokens: logits from those in a text, zero until fitted.

    Their rows of the table, summed, over the root of how many distinct ones there are.

    Attributes:
        table: [buckets, C], shared by all orders; no gradient flows into it.
    """

    def __init__(self, num_buckets: int, max_order: int, num_labels: int) -> None:
        super().__init__()
        self.max_order = max_order
        self.table = nn.Parameter(torch.zeros(num_buckets, num_labels), requires_grad=False)

    def forward(self, ids_TB: Tensor, lengths_B: Tensor) -> Tensor:
        """Logits [B, C] of padded token ids (see `model.padding.Batch`); zeros for a text without tokens."""
        num_buckets = len(self.table)
        buckets_PB = distinct_buckets(ids_TB.long(), lengths_B, self.max_order, num_buckets)
        there_PB1 = (buckets_PB < num_buckets).unsqueeze(2).to(self.table.dtype)
        sums_BC = (F.embedding(buckets_PB.clamp(max=num_buckets - 1), self.table) * there_PB1).sum(0)
        return sums_BC * there_PB1.sum(0).clamp(min=1).rsqrt()

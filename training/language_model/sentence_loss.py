"""The cost of a text's sentence vector being another than the encoder's that is imitated.

Shape suffixes: B batch, n texts of it that have a vector, P pooled states, D width of an encoder's vectors.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training.language_model.config import VectorsConfig
from training.language_model.targets import Rows, Targets


class SentenceLoss(nn.Module):
    """A linear map from pooled states to the vectors of each encoder, and the distance from these.

    The maps are stored with the layers: they say which directions of the pooled states carry the meaning of a text.

    Args:
        pooled_size: P.
        widths: D of each encoder.
        config: for the weights.
    """

    def __init__(self, pooled_size: int, widths: Sequence[int], config: VectorsConfig) -> None:
        super().__init__()
        self.projections = nn.ModuleList(nn.Linear(pooled_size, width) for width in widths)
        self.config = config

    def forward(self, pooled_BP: Tensor, targets: Sequence[Targets], places: Rows) -> Tensor:
        """The mean loss of a text, a scalar: the sum over encoders, where a text without a vector costs nothing.

        Args:
            pooled_BP: of the texts at `places`.
            targets: of each encoder.
            places: of the texts [B].
        """
        loss = pooled_BP.new_zeros((), dtype=torch.float32)
        for ours_nD, theirs_nD in self.pairs(pooled_BP, targets, places):
            if len(ours_nD):
                distance = 1 - (ours_nD * theirs_nD).sum(1).mean()
                distance = distance + self.config.pairwise * pairwise_difference(ours_nD, theirs_nD)
                loss = loss + distance * (len(ours_nD) / len(places))
        return loss

    def stored(self) -> dict[str, Tensor]:
        """The maps under the names that a folder gives them."""
        return {f"vectors.{name}": weight for name, weight in self.projections.state_dict().items()}

    def pairs(self, pooled_BP: Tensor, targets: Sequence[Targets], places: Rows) -> list[tuple[Tensor, Tensor]]:
        """For each encoder our vectors and its own [n, D], of length 1, of the n texts that it knows."""
        found, device = [], pooled_BP.device
        for projection, target in zip(self.projections, targets, strict=True):
            known_n, theirs_nD = target.batch(places)
            ours_nD = projection(pooled_BP[known_n.to(device)]).float()
            found.append((F.normalize(ours_nD, dim=1), F.normalize(theirs_nD.to(device), dim=1)))
        return found


def pairwise_difference(ours_nD: Tensor, theirs_nD: Tensor) -> Tensor:
    """Mean squared difference between the cosines of all pairs of texts; 0 of a single text. Vectors have length 1.

    Source: Park et al. 2019, "Relational Knowledge Distillation", section 3, with cosines for distances.

    >>> pairwise_difference(torch.eye(2), torch.tensor([[1.0, 0.0], [0.6, 0.8]])).item()  # 0 against 0.6, squared
    0.36000001430511475
    """
    num_pairs = len(ours_nD) * (len(ours_nD) - 1)
    # In bfloat16 a cosine would be in steps of 1/256.
    with torch.autocast(ours_nD.device.type, enabled=False):
        difference_nn = ours_nD @ ours_nD.T - theirs_nD @ theirs_nD.T
    return difference_nn.square().sum() / max(1, num_pairs)

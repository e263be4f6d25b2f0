"""Shared by the examples: the library's encoder with a linear layer on top, and a loop that trains it.

The loop is the short one of a tutorial; `training.fit.trainer` is the one that trains checkpoints.

Shape suffixes: T time steps, N series, B those of a batch, E numbers at a time step, O outputs.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from model.config import EncoderShape
from model.encoder import Encoder

MAX_NORM = 1.0
"""The gradient of a step is shortened to this. Source: Pascanu et al. 2013, algorithm 1."""

Loss = Callable[[Tensor, Tensor], Tensor]
"""Of outputs [B, O] and targets [B, ...], a scalar."""


class Learner(nn.Module):
    """Encoder with a linear layer on top of its pooled vector."""

    def __init__(self, shape: EncoderShape, num_outputs: int) -> None:
        super().__init__()
        self.encoder = Encoder(shape)
        self.head = nn.Linear(shape.pooled_size, num_outputs)

    def forward(self, x_TBE: Tensor) -> Tensor:
        """Outputs [B, O] of series that are all T steps long."""
        lengths_B = torch.full((x_TBE.shape[1],), x_TBE.shape[0])
        outputs_BO: Tensor = self.head(self.encoder(x_TBE, lengths_B))
        return outputs_BO


def fit(
    learner: Learner,
    x_TNE: Tensor,
    targets_N: Tensor,
    loss: Loss,
    *,
    steps: int,
    batch_size: int = 64,
    rate: float = 0.01,
) -> list[float]:
    """Takes `steps` of Adam on random batches, the rate falling to zero along a half cosine; returns each step's loss.

    Source: Kingma & Ba 2015 (Adam); Loshchilov & Hutter 2017, eq. 5 (cosine).
    """
    optimizer = torch.optim.Adam(learner.parameters(), lr=rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    losses = []
    learner.train()
    for _ in range(steps):
        chosen_B = torch.randint(0, x_TNE.shape[1], (batch_size,))
        value = loss(learner(x_TNE[:, chosen_B]), targets_N[chosen_B])
        optimizer.zero_grad()
        value.backward()
        nn.utils.clip_grad_norm_(learner.parameters(), MAX_NORM)
        optimizer.step()
        schedule.step()
        losses.append(value.item())
    learner.eval()
    return losses


def predict(learner: Learner, x_TNE: Tensor) -> Tensor:
    """Outputs [N, O] of series, without gradients."""
    with torch.inference_mode():
        outputs_NO: Tensor = learner(x_TNE)
        return outputs_NO

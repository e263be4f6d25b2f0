"""AdamW whose cost follows the batch and not the vocabulary, its schedule, and the average of the weights."""

import math
from collections.abc import Iterable, Iterator, Sequence

import torch
from torch import Tensor, nn


class RowAdamW:
    """AdamW; a parameter with a sparse gradient has only the rows in that gradient updated.

    A dense Adam step over an embedding of 30,000 x 300 costs more than the LSTM at small batches. Rows that a batch
    does not
    touch keep their moments, as in `torch.optim.SparseAdam`; bias correction counts the steps of the run.

    Source: Kingma & Ba 2015, algorithm 1; Loshchilov & Hutter 2019, algorithm 2 (decoupled decay, on dense matrices
    only).

    Args:
        parameters: to be updated.
        betas: decays of the two moments.
        weight_decay: of dense matrices.
        epsilon: in the denominator.
        factors: one a parameter, by which its learning rate is multiplied; 1 for all if None.
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        *,
        betas: tuple[float, float],
        weight_decay: float,
        epsilon: float = 1e-8,
        factors: Sequence[float] | None = None,
    ) -> None:
        self.parameters = list(parameters)
        self.factors = [1.0] * len(self.parameters) if factors is None else list(factors)
        self.betas = betas
        self.weight_decay = weight_decay
        self.epsilon = epsilon
        self.step_count = 0
        self.means = [torch.zeros_like(p) for p in self.parameters]
        self.squares = [torch.zeros_like(p) for p in self.parameters]

    @torch.no_grad()
    def step(self, learning_rate: float) -> None:
        """Updates every parameter that has a gradient, then drops the gradients."""
        self.step_count += 1
        for parameter, mean, square, factor in zip(
            self.parameters, self.means, self.squares, self.factors, strict=True
        ):
            if parameter.grad is None:
                continue
            rate = factor * learning_rate
            if parameter.grad.is_sparse:
                self._step_rows(parameter, parameter.grad, mean, square, rate)
            else:
                if parameter.ndim > 1:
                    parameter.mul_(1 - rate * self.weight_decay)
                parameter.add_(self._update(parameter.grad, mean, square), alpha=-rate)
            parameter.grad = None

    def _step_rows(
        self,
        parameter: nn.Parameter,
        sparse_gradient: Tensor,
        mean: Tensor,
        square: Tensor,
        learning_rate: float,
    ) -> None:
        gradient = sparse_gradient.coalesce()
        rows = gradient.indices()[0]
        mean_rows, square_rows = (
            mean.index_select(0, rows),
            square.index_select(0, rows),
        )
        update = self._update(gradient.values(), mean_rows, square_rows)
        mean.index_copy_(0, rows, mean_rows)
        square.index_copy_(0, rows, square_rows)
        parameter.index_add_(0, rows, update, alpha=-learning_rate)

    def _update(self, gradient: Tensor, mean: Tensor, square: Tensor) -> Tensor:
        """Moves the moments and returns m̂ / (√v̂ + ε)."""
        beta1, beta2 = self.betas
        mean.lerp_(gradient, 1 - beta1)
        square.mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
        mean_scale = 1 / (1 - beta1**self.step_count)
        square_scale = 1 / math.sqrt(1 - beta2**self.step_count)
        return (mean * mean_scale).div_((square.sqrt() * square_scale).add_(self.epsilon))

    def tensors(self) -> Iterator[tuple[str, Tensor]]:
        """Named moments, to be saved and filled again."""
        for i, (mean, square) in enumerate(zip(self.means, self.squares, strict=True)):
            yield f"mean.{i}", mean
            yield f"square.{i}", square


@torch.no_grad()
def clip_gradients(parameters: Iterable[nn.Parameter], max_norm: float) -> float:
    """Scales all gradients so that their joint L2 norm is at most `max_norm`; returns the norm before.

    Source: Pascanu et al. 2013, algorithm 1.
    """
    gradients = []
    for parameter in parameters:
        if parameter.grad is not None:
            if parameter.grad.is_sparse:
                parameter.grad = parameter.grad.coalesce()
                gradients.append(parameter.grad.values())
            else:
                gradients.append(parameter.grad)
    norm = float(torch.linalg.vector_norm(torch.stack([torch.linalg.vector_norm(g) for g in gradients])))
    if norm > max_norm:
        for gradient in gradients:
            gradient.mul_(max_norm / norm)
    return norm


def learning_rate_at(step: int, *, peak: float, warmup_steps: int, total_steps: int, floor: float = 0.0) -> float:
    """Linear warm-up to `peak`, then a half cosine down to `floor` times the peak.

    Source: Loshchilov & Hutter 2017 (SGDR), eq. 5, one period.

    >>> [round(learning_rate_at(s, peak=1.0, warmup_steps=2, total_steps=6), 2) for s in range(6)]
    [0.5, 1.0, 1.0, 0.85, 0.5, 0.15]
    """
    if step < warmup_steps:
        return peak * (step + 1) / warmup_steps
    progress = min(1.0, (step - warmup_steps) / max(1, total_steps - warmup_steps))
    return peak * (floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * progress)))


@torch.no_grad()
def average_into(average: nn.Module, network: nn.Module, decay: float) -> None:
    """Moves `average` towards `network`: a <- d·a + (1-d)·w for every parameter.

    Source: Polyak & Juditsky 1992, in the exponential form of Tarvainen & Valpola 2017.
    """
    for a, w in zip(average.parameters(), network.parameters(), strict=True):
        a.lerp_(w, 1 - decay)

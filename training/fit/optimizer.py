"""AdamW whose cost follows the batch and not the vocabulary, its schedule, and the average of the weights."""

import math
from collections.abc import Iterable, Iterator, Sequence

import torch
from torch import Tensor, nn


class RowAdamW:
    """AdamW; a parameter with a sparse gradient has only the rows in that gradient updated.

    A dense Adam step over an embedding of 30,000 x 300 costs more than the LSTM at small batches. Rows that a batch
    does not touch keep their moments, as in `torch.optim.SparseAdam`; bias correction counts the steps of the run.

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
        dense: dict[float, list[int]] = {}
        for i, (parameter, factor) in enumerate(zip(self.parameters, self.factors, strict=True)):
            if parameter.grad is None:
                continue
            if parameter.grad.is_sparse:
                self._step_rows(parameter, parameter.grad, self.means[i], self.squares[i], factor * learning_rate)
                parameter.grad = None
            else:
                dense.setdefault(factor, []).append(i)
        for factor, places in dense.items():
            self._step_dense(places, factor * learning_rate)

    def _step_dense(self, places: list[int], rate: float) -> None:
        parameters: list[Tensor] = [self.parameters[i] for i in places]
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        matrices = [parameter for parameter in parameters if parameter.ndim > 1]
        if matrices:
            torch._foreach_mul_(matrices, 1 - rate * self.weight_decay)
        updates = self._updates(gradients, [self.means[i] for i in places], [self.squares[i] for i in places])
        torch._foreach_add_(parameters, updates, alpha=-rate)
        for parameter in parameters:
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
        update = self._updates([gradient.values()], [mean_rows], [square_rows])[0]
        mean.index_copy_(0, rows, mean_rows)
        square.index_copy_(0, rows, square_rows)
        parameter.index_add_(0, rows, update, alpha=-learning_rate)

    def _updates(self, gradients: list[Tensor], means: list[Tensor], squares: list[Tensor]) -> tuple[Tensor, ...]:
        """Moves the moments and returns m̂ / (√v̂ + ε) of each parameter.

        Operations on lists: a GPU starts one kernel for all parameters, where starting takes longer than computing.
        """
        beta1, beta2 = self.betas
        torch._foreach_lerp_(means, gradients, 1 - beta1)
        torch._foreach_mul_(squares, beta2)
        torch._foreach_addcmul_(squares, gradients, gradients, value=1 - beta2)
        updates: tuple[Tensor, ...] = torch._foreach_mul(means, 1 / (1 - beta1**self.step_count))
        roots = torch._foreach_sqrt(squares)
        torch._foreach_mul_(roots, 1 / math.sqrt(1 - beta2**self.step_count))
        torch._foreach_add_(roots, self.epsilon)
        torch._foreach_div_(updates, roots)
        return updates

    def tensors(self) -> Iterator[tuple[str, Tensor]]:
        """Named moments, to be saved and filled again."""
        for i, (mean, square) in enumerate(zip(self.means, self.squares, strict=True)):
            yield f"mean.{i}", mean
            yield f"square.{i}", square


@torch.no_grad()
def clip_gradients(parameters: Iterable[nn.Parameter], max_norm: float) -> Tensor:
    """Scales all gradients so that their joint L2 norm is at most `max_norm`; does not wait for the device.

    Source: Pascanu et al. 2013, algorithm 1.

    Returns:
        The norm before, a scalar.
    """
    gradients = []
    for parameter in parameters:
        if parameter.grad is not None:
            if parameter.grad.is_sparse:
                parameter.grad = parameter.grad.coalesce()
                gradients.append(parameter.grad.values())
            else:
                gradients.append(parameter.grad)
    norm: Tensor = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients)))
    torch._foreach_mul_(gradients, (max_norm / norm.double()).clamp(max=1.0).to(norm.dtype))
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
    torch._foreach_lerp_(list(average.parameters()), list(network.parameters()), 1 - decay)

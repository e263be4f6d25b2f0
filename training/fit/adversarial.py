"""Perturbations of embedded text, and the losses under them.

A perturbation is added to the embedded text, not to the embedding, and its L2 norm is taken over the whole text: all
its tokens and all their elements. Padding gets none.

Its norm is `epsilon` times the root mean square of the elements of the batch's embedded tokens. Miyato et al. instead
normalise the embedding at each step to mean 0 and variance 1, weighted by how often a token stands in the text, lest
the network make the perturbation insignificant by growing its vectors. On such an embedding, whose root mean square is
1, both are the same; on any other ours moves with the vectors, so growing them gains nothing, and the
embedding, its sparse gradient and what is stored are as they are without these terms.

All passes over a batch draw the same dropout masks. Otherwise the virtual adversarial loss would mostly measure how two
masks differ, and its gradient would point at that.

Source: Miyato, Dai & Goodfellow 2017, "Adversarial Training Methods for Semi-Supervised Text Classification",
sections 2 (embeddings) and 3 (both losses, for text).

Shape suffixes: T time steps, B batch, E embedding, C labels.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from model.config import Task
from model.network import RecurrentClassifier
from model.padding import Batch
from training.fit.imitation import divergence
from training.fit.objective import mixed_precision

TINY = torch.finfo(torch.float32).tiny


class EmbeddedTexts:
    """A batch, embedded and read once as it is; can be read again with something added.

    Args:
        network: in training mode, without n-grams beside it.
        batch: on the network's device.
        dtype: number format of the passes.

    Attributes:
        x_TBE: the embedded texts.
        inside_TB1: what is not padding.
        logits_BC: of the texts as they are, float32.
    """

    def __init__(self, network: RecurrentClassifier, batch: Batch, dtype: torch.dtype) -> None:
        self._network, self._lengths_B, self._dtype = network, batch.lengths_B, dtype
        steps_T1 = torch.arange(len(batch.ids_TB), device=batch.lengths_B.device).unsqueeze(1)
        self.inside_TB1 = (steps_T1 < batch.lengths_B).unsqueeze(2)
        self.x_TBE = network.embed(batch.ids_TB)
        self._random = _random_state(self.x_TBE.device)
        self.logits_BC = self._read(self.x_TBE, dtype)

    def perturbed(self, perturbation_TBE: Tensor, dtype: torch.dtype | None = None) -> Tensor:
        """Logits [B, C] of the texts with this added, float32, under the same dropout masks."""
        x_TBE = self.x_TBE + perturbation_TBE
        with torch.random.fork_rng(devices=[x_TBE.device] if x_TBE.is_cuda else []):
            _set_random_state(self._random, x_TBE.device)
            return self._read(x_TBE, dtype or self._dtype)

    @property
    def scale(self) -> Tensor:
        """Root mean square of the elements of the tokens' vectors, a scalar; no gradient flows through it."""
        squares_TBE = self.x_TBE.detach().square().masked_fill(~self.inside_TB1, 0.0)
        num_elements = self._lengths_B.sum().clamp(min=1) * self.x_TBE.shape[2]
        return (squares_TBE.sum() / num_elements).sqrt()

    def _read(self, x_TBE: Tensor, dtype: torch.dtype) -> Tensor:
        with mixed_precision(x_TBE.device, dtype):
            logits_BC = self._network.from_embedded(x_TBE, self._lengths_B)
        return logits_BC.float()


def adversarial_loss(texts: EmbeddedTexts, loss_of: Callable[[Tensor], Tensor], *, epsilon: float) -> Tensor:
    """The loss of the perturbed texts, a scalar; each text is moved to where its own loss rises fastest.

    r = ε g / |g| with g the gradient of the loss by the embedded text.
    Source: the same, section 3, adversarial training.

    Args:
        texts: labelled ones.
        loss_of: from their logits [B, C] to their mean loss.
        epsilon: norm of the perturbation, see above.
    """
    (gradient_TBE,) = torch.autograd.grad(loss_of(texts.logits_BC), texts.x_TBE, retain_graph=True)
    return loss_of(texts.perturbed(of_norm(gradient_TBE, texts.inside_TB1, epsilon * texts.scale)))


def virtual_adversarial_loss(texts: EmbeddedTexts, task: Task, *, epsilon: float, xi: float) -> Tensor:
    """The change of each text's answer [B] under the perturbation that changes it fastest; needs no labels.

    KL(p(s) || p(s + r)), the answer to the text as it is taken as a constant. r = ε g / |g| with g from one step of
    power iteration: the gradient by d of KL(p(s) || p(s + ξ d)) at a random d of norm 1.
    Source: the same, section 3, virtual adversarial training; the iteration from Miyato et al. 2016, "Distributional
    Smoothing with Virtual Adversarial Training", section 3.1.

    That step is in float32, at the price of a pass more: ξ spread over a whole text is less than bfloat16 resolves,
    and the direction would be rounding error.

    Args:
        texts: any.
        task: softmax or a sigmoid for each label.
        epsilon: norm of the perturbation, see above.
        xi: norm of the random one, in the same unit.
    """
    random_TBE = torch.randn_like(texts.x_TBE)
    start_TBE = of_norm(random_TBE, texts.inside_TB1, xi * texts.scale).requires_grad_()
    with torch.no_grad():
        exact_BC = texts.perturbed(torch.zeros_like(start_TBE), torch.float32)
    moved_B = divergence(exact_BC, texts.perturbed(start_TBE, torch.float32), task)
    (gradient_TBE,) = torch.autograd.grad(moved_B.sum(), start_TBE)
    perturbation_TBE = of_norm(gradient_TBE, texts.inside_TB1, epsilon * texts.scale)
    return divergence(texts.logits_BC.detach(), texts.perturbed(perturbation_TBE), task)


def of_norm(direction_TBE: Tensor, inside_TB1: Tensor, norm: Tensor) -> Tensor:
    """Each text's direction, scaled to an L2 norm over its tokens and their elements; nothing in the padding.

    A text with no direction, all zeros, is left unmoved. Divided by the largest element first, lest the squares of tiny
    gradients be zero.
    """
    r_TBE = direction_TBE.detach().masked_fill(~inside_TB1, 0.0)
    r_TBE = r_TBE / r_TBE.abs().amax((0, 2), keepdim=True).clamp_min(TINY)
    norms_1B1 = torch.linalg.vector_norm(r_TBE, dim=(0, 2), keepdim=True)
    scaled_TBE: Tensor = r_TBE * (norm / norms_1B1.clamp_min(TINY))
    return scaled_TBE


def _random_state(device: torch.device) -> Tensor:
    return torch.cuda.get_rng_state(device) if device.type == "cuda" else torch.get_rng_state()


def _set_random_state(state: Tensor, device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.set_rng_state(state, device)
    else:
        torch.set_rng_state(state)

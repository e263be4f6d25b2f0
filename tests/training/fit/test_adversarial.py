"""Directions and norms of perturbations, and what the losses under them are worth."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from model.config import Architecture, Task
from model.encoder import Dropouts
from model.network import RecurrentClassifier
from model.padding import Batch, pad
from training.fit.adversarial import EmbeddedTexts, adversarial_loss, of_norm, virtual_adversarial_loss
from training.fit.imitation import divergence

IDS = [[3, 1, 4, 1, 5], [9, 2], [], [6]]
BATCH = pad([np.array(row, dtype=np.int32) for row in IDS])
EVERYWHERE = Dropouts(word=0.1, token=0.1, embedding=0.3, between=0.2, recurrent=0.2, pooled=0.3)


def network(dropouts: Dropouts | None = None, num_labels: int = 3, **architecture: object) -> RecurrentClassifier:
    torch.manual_seed(0)
    shape = {"vocab_size": 12, "embedding_dim": 4, "hidden_size": 5} | architecture
    return RecurrentClassifier(Architecture.model_validate(shape), num_labels, dropouts).train()


def bag(num_labels: int = 2) -> RecurrentClassifier:
    """A linear model: the mean of the vectors, and the head."""
    return network(num_layers=0, pooling="mean", num_labels=num_labels)


def embedded(network: RecurrentClassifier, batch: Batch = BATCH, dtype: torch.dtype = torch.float32) -> EmbeddedTexts:
    return EmbeddedTexts(network, batch, dtype)


def read(texts: EmbeddedTexts, monkeypatch: pytest.MonkeyPatch) -> list[Tensor]:
    """The perturbations that are added to the texts in the passes to come."""
    added: list[Tensor] = []

    def perturbed(r_TBE: Tensor, dtype: torch.dtype | None = None) -> Tensor:
        if dtype is None:  # the others look for the direction
            added.append(r_TBE)
        return EmbeddedTexts.perturbed(texts, r_TBE, dtype)

    monkeypatch.setattr(texts, "perturbed", perturbed)
    return added


def cross_entropy(targets: list[int]) -> Callable[[Tensor], Tensor]:
    return lambda logits_BC: torch.nn.functional.cross_entropy(logits_BC, torch.tensor(targets))


def test_the_direction_of_a_linear_model_is_that_of_its_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    """The loss of label 0 falls along w0 - w1, alike at each token: the gradient is along w1 - w0."""
    linear = bag()
    texts = embedded(linear)
    added = read(texts, monkeypatch)
    adversarial_loss(texts, cross_entropy([0, 1, 0, 0]), epsilon=2.0)
    (r_TBE,) = added
    towards_1 = (linear.head.weight[1] - linear.head.weight[0]).detach()
    towards_1 = towards_1 / towards_1.norm() * 2.0 * texts.scale
    for text, (length, sign) in enumerate([(5, 1), (2, -1), (0, 0), (1, 1)]):
        for step in range(5):
            expected = sign * towards_1 / length**0.5 if step < length else torch.zeros(4)
            torch.testing.assert_close(r_TBE[step, text], expected, rtol=1e-5, atol=1e-7)


def test_the_adversarial_loss_of_a_linear_model_by_hand() -> None:
    """The mean of a text of n tokens moves by ε s / √n along w1 - w0, so the logits part by that times |w1 - w0|."""
    linear = bag()
    batch = pad([np.array([3, 1, 4, 1], dtype=np.int32)])
    texts = embedded(linear, batch)
    x_TE = linear.embedding[batch.ids_TB[:, 0]].detach()
    assert float(texts.scale) == pytest.approx(float(x_TE.square().mean().sqrt()))
    difference_E = (linear.head.weight[1] - linear.head.weight[0]).detach()
    gap = float(x_TE.mean(0) @ difference_E) + 2.0 * float(texts.scale) / 2 * float(difference_E.norm())
    found = adversarial_loss(texts, cross_entropy([0]), epsilon=2.0)
    assert float(found.detach()) == pytest.approx(float(torch.nn.functional.softplus(torch.tensor(gap))), rel=1e-5)


@pytest.mark.parametrize("dropouts", [None, EVERYWHERE], ids=["plain", "dropouts"])
def test_each_text_is_moved_by_epsilon_and_padding_not_at_all(
    dropouts: Dropouts | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = embedded(network(dropouts, num_layers=2, conv_width=3))
    added = read(texts, monkeypatch)
    adversarial_loss(texts, cross_entropy([0, 1, 2, 0]), epsilon=0.7)
    virtual_adversarial_loss(texts, "single_label", epsilon=0.7, xi=0.1)
    assert len(added) == 2
    for r_TBE in added:
        norms = r_TBE.norm(dim=(0, 2)) / texts.scale
        assert norms.tolist() == pytest.approx([0.7, 0.7, 0.0, 0.7], rel=1e-5)
        assert not r_TBE[~texts.inside_TB1.expand_as(r_TBE)].any()
    assert not torch.equal(*added)


def test_a_direction_too_small_to_square_keeps_its_norm_and_none_stays_none() -> None:
    direction = torch.full((2, 2, 3), 1e-30)
    direction[:, 1] = 0
    r = of_norm(direction, torch.ones(2, 2, 1, dtype=torch.bool), torch.tensor(3.0))
    assert r[:, 0].norm().item() == pytest.approx(3.0)
    assert not r[:, 1].any()


def test_longer_vectors_are_moved_further() -> None:
    """Growing the vectors does not make the perturbation less, which normalising the embedding is for."""
    small, large = bag(), bag()
    with torch.no_grad():
        large.embedding.mul_(10)
        large.head.weight.div_(10)
    losses = [adversarial_loss(embedded(n), cross_entropy([0, 1, 0, 0]), epsilon=1.0) for n in (small, large)]
    torch.testing.assert_close(*losses)


def test_the_virtual_perturbation_of_a_linear_model_is_along_its_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    linear = bag()
    texts = embedded(linear)
    added = read(texts, monkeypatch)
    virtual_adversarial_loss(texts, "single_label", epsilon=1.0, xi=0.1)
    difference_E = (linear.head.weight[1] - linear.head.weight[0]).detach()
    for text, length in ((0, 5), (1, 2), (3, 1)):
        cosines = torch.cosine_similarity(added[0][:length, text], difference_E.expand(length, 4))
        assert cosines.abs().tolist() == pytest.approx([1.0] * length, rel=1e-4)


@pytest.mark.parametrize("task", ["single_label", "multi_label"])
def test_the_virtual_loss_is_nothing_without_a_move_and_never_negative(task: Task) -> None:
    """With dropout everywhere: both passes have the same masks."""
    texts = embedded(network(EVERYWHERE, num_layers=2))
    still = virtual_adversarial_loss(texts, task, epsilon=1e-30, xi=0.1)
    assert still.tolist() == [0.0] * 4
    moved = virtual_adversarial_loss(texts, task, epsilon=5.0, xi=0.1)
    assert moved[2] == 0.0, "a text without tokens has nothing to move"
    assert moved.min() > -1e-6
    assert moved[[0, 1, 3]].min() > 1e-6


def test_the_virtual_direction_beats_random_ones() -> None:
    texts = embedded(network(EVERYWHERE))
    found = virtual_adversarial_loss(texts, "single_label", epsilon=1.0, xi=0.1).mean()
    for _ in range(20):
        r_TBE = of_norm(torch.randn_like(texts.x_TBE), texts.inside_TB1, texts.scale)
        assert divergence(texts.logits_BC, texts.perturbed(r_TBE), "single_label").mean() < found


def test_passes_over_perturbed_texts_leave_the_random_numbers_as_they_were() -> None:
    texts = embedded(network(EVERYWHERE))
    before = torch.get_rng_state()
    again = texts.perturbed(torch.zeros_like(texts.x_TBE))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(again, texts.logits_BC)


@pytest.mark.parametrize("cell", ["lstm", "gru", "peephole"])
def test_both_losses_train_the_whole_network_and_keep_the_embedding_sparse(cell: str) -> None:
    fresh = network(EVERYWHERE, cell=cell, pooling="attention")
    texts = embedded(fresh)
    loss = adversarial_loss(texts, cross_entropy([0, 1, 2, 0]), epsilon=1.0)
    (loss + virtual_adversarial_loss(texts, "single_label", epsilon=1.0, xi=0.1).mean()).backward()
    assert fresh.embedding.grad is not None
    assert fresh.embedding.grad.is_sparse
    for name, parameter in fresh.named_parameters():
        assert parameter.grad is not None, name


def test_in_mixed_precision_the_virtual_direction_is_found_exactly(monkeypatch: pytest.MonkeyPatch) -> None:
    directions = []
    for dtype in (torch.float32, torch.bfloat16):
        texts = embedded(network(EVERYWHERE), dtype=dtype)
        added = read(texts, monkeypatch)
        losses = virtual_adversarial_loss(texts, "single_label", epsilon=1.0, xi=0.01)
        assert losses.dtype == torch.float32
        directions.append(added[0])
    torch.testing.assert_close(*directions)


def test_in_bfloat16_the_losses_are_those_of_float32_within_its_rounding() -> None:
    losses = []
    for dtype in (torch.float32, torch.bfloat16):
        texts = embedded(network(EVERYWHERE), dtype=dtype)
        adversarial = adversarial_loss(texts, cross_entropy([0, 1, 2, 0]), epsilon=1.0)
        losses.append((adversarial, virtual_adversarial_loss(texts, "single_label", epsilon=1.0, xi=0.1)))
    for exact, rounded in zip(*losses, strict=True):
        torch.testing.assert_close(rounded, exact, rtol=0.05, atol=2**-8)
        assert not torch.equal(rounded, exact)

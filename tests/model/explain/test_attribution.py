"""Attributions against independent calculations, and that they add up whatever the network is made of."""

from typing import Any

import numpy as np
import pytest
import torch

from model.config import Task
from model.explain.attribution import MOST_TIMES, TOLERANCE, gap_of, integrate, integrated_gradients, refine, shares
from model.ngrams import NgramBag, buckets_of
from model.padding import pad
from model.recurrent import LAYERS
from tests.model.explain.random_odds import LENGTHS, all_of, random_odds, random_rows

VARIANTS: list[dict[str, Any]] = [
    *({"cell": cell} for cell in LAYERS),
    {"num_layers": 0},
    {"num_layers": 2},
    {"bidirectional": False},
    {"conv_width": 3},
    *({"pooling": pooling} for pooling in ("attention", "max", "mean", "last")),
    {"ngram_buckets": 16, "ngram_order": 3},
    {"num_layers": 0, "pooling": "mean", "ngram_buckets": 16, "conv_width": 3},
]


@pytest.mark.parametrize("task", ["single_label", "multi_label"])
@pytest.mark.parametrize("shape", VARIANTS, ids=str)
def test_attributions_add_up(shape: dict[str, Any], task: Task) -> None:
    odds, rows = random_odds(task, **shape), random_rows(*LENGTHS)
    found = integrated_gradients(odds, rows, all_of(rows), steps=16)
    assert [len(text.scores) for text in found] == list(LENGTHS)
    for text in found:
        assert text.gap <= TOLERANCE
        assert text.scores.sum() == pytest.approx(text.value - text.baseline, rel=0.011, abs=2e-5)
    assert found[1].value == found[1].baseline


def test_the_baseline_is_a_text_as_long_of_zeros_without_ngrams() -> None:
    odds, (row,) = random_odds(ngram_buckets=16), random_rows(7)
    logits = odds.network.from_embedded(torch.zeros(7, 1, 5), torch.tensor([7])) / 1.7
    (found,) = integrated_gradients(odds, [row], all_of([row]), steps=4)
    assert found.baseline == pytest.approx(odds.of_logits(logits, torch.tensor([1])).item(), abs=1e-5)


def test_of_a_linear_network_each_token_has_its_own_product() -> None:
    """The mean of embeddings and a linear head: F is linear, so a token has e_t · w / (T · temperature)."""
    odds, (row,) = random_odds("multi_label", num_layers=0, pooling="mean"), random_rows(6)
    (scores,) = integrate(odds, [row], all_of([row]), 1)
    by_hand = (odds.network.embedding[row.tolist()] @ odds.network.head.weight[1]) / 6 / 1.7
    np.testing.assert_allclose(scores, by_hand.numpy(), atol=1e-6)


def test_it_is_the_integral_along_the_path() -> None:
    """By differences of F itself, not by its gradient: each token's embedding moved a little at each of many steps."""
    odds, (row,) = random_odds(pooling="mean"), random_rows(4)
    network = odds.network.double()
    x_T1E, lengths = network.embedding[row.tolist()].unsqueeze(1), torch.tensor([4])
    steps, moved = 64, 1e-4

    def value(x: torch.Tensor) -> float:
        return odds.of_logits(network.from_embedded(x, lengths) / 1.7, torch.tensor([1])).item()

    by_hand = np.zeros(4)
    for step in range(steps):
        at = x_T1E * ((step + 0.5) / steps)
        for t in range(4):
            bump = torch.zeros_like(x_T1E)
            bump[t] = x_T1E[t] * moved
            by_hand[t] += (value(at + bump) - value(at - bump)) / (2 * moved) / steps
    network.float()
    (scores,) = integrate(odds, [row], all_of([row]), steps)
    np.testing.assert_allclose(scores, by_hand, atol=1e-4)


def test_an_ngram_s_part_is_shared_among_its_places_and_tokens() -> None:
    bag = NgramBag(1 << 20, 2, 2)
    a, b, c = 3, 5, 7
    ids = np.array([a, b, a, b, c], dtype=np.int32)
    column = torch.tensor([[a], [b], [c]])
    one = {token: int(bucket) for token, bucket in zip((a, b, c), buckets_of(column, 1, 1 << 20)[:, 0], strict=True)}
    pairs = torch.tensor([[a, b, b], [b, a, c]])
    ab, ba, bc = buckets_of(pairs, 2, 1 << 20)[0].tolist()
    for bucket, weight in ((one[a], 1.0), (one[b], 2.0), (one[c], 4.0), (ab, 8.0), (ba, 16.0), (bc, 32.0)):
        bag.table.data[bucket, 1] = weight
    found = shares(bag, ids, np.array([0.0, 10.0])) * 6**0.5 / 10  # six distinct n-grams, each once
    # Of a, half at each of its two places; of "a b" half at each place, and a half of that for either token.
    expected = [0.5 + 2, 1 + 2 + 8, 0.5 + 8 + 2, 1 + 2 + 16, 4 + 16]
    np.testing.assert_allclose(found, expected)
    batch = pad([ids])
    assert shares(bag, ids, np.array([0.0, 1.0])).sum() == pytest.approx(
        bag(batch.ids_TB, batch.lengths_B)[0, 1].item()
    )
    assert shares(bag, ids[:0], np.array([0.0, 1.0])).shape == (0,)


def test_ngrams_of_one_bucket_are_one() -> None:
    bag = NgramBag(1, 3, 1)
    bag.table.data[:] = 36.0
    # Six places: three of one token, two of two, one of three; 6 for each.
    found = shares(bag, np.array([1, 2, 3], dtype=np.int32), np.ones(1))
    np.testing.assert_allclose(found, [6 + 3 + 2, 6 + 3 + 3 + 2, 6 + 3 + 2])


def test_steps_are_made_finer_where_they_miss() -> None:
    """Normalised sums change over a thousandth of the path and hardly behind it: equal steps would need a thousand."""
    odds, (row,) = random_odds(cell="layernorm"), random_rows(6)
    difference = odds.values([row], all_of([row]))[0] - odds.values([row], all_of([row]), np.zeros(1))[0]
    (equal,) = integrate(odds, [row], all_of([row]), 64)
    scores, gradients = refine(odds, row, 1, 16, difference)
    assert gap_of(equal, difference) > 0.2
    assert gap_of(scores, difference) <= TOLERANCE
    assert 16 < gradients <= 16 * MOST_TIMES
    (fine,) = integrate(odds, [row], all_of([row]), 1 << 14)
    np.testing.assert_allclose(scores, fine, atol=0.03 * np.abs(fine).sum())


@pytest.mark.parametrize(("most_tokens", "most_gradients"), [(0, 2 * MOST_TIMES), (600, 100)])
def test_the_work_on_a_gap_is_bounded(monkeypatch: pytest.MonkeyPatch, most_tokens: int, most_gradients: int) -> None:
    monkeypatch.setattr("model.explain.attribution.TOLERANCE", 0.0)
    monkeypatch.setattr("model.explain.attribution.MOST_TOKENS", most_tokens)
    odds, (row,) = random_odds(), random_rows(6)
    (found,) = integrated_gradients(odds, [row], all_of([row]), steps=2)
    assert most_gradients <= found.steps < 2 * most_gradients


def test_a_text_s_attribution_does_not_depend_on_its_neighbours() -> None:
    odds, rows = random_odds(ngram_buckets=16), random_rows(*LENGTHS, 30)
    together = integrated_gradients(odds, rows, all_of(rows), steps=8)
    for row, text in zip(rows, together, strict=True):
        (alone,) = integrated_gradients(odds, [row], all_of([row]), steps=8)
        np.testing.assert_allclose(alone.scores, text.scores, atol=1e-5)
    assert integrated_gradients(odds, [], all_of([]), steps=8) == []


def test_many_batches_give_what_one_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    odds, rows = random_odds(), random_rows(6, 9, 2)
    one = integrate(odds, rows, all_of(rows), 8)
    monkeypatch.setattr("model.explain.attribution.MAX_BATCH_TOKENS", 20)
    for scores, expected in zip(integrate(odds, rows, all_of(rows), 8), one, strict=True):
        np.testing.assert_allclose(scores, expected, atol=1e-6)

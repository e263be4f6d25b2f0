import random

import pytest

from app.batching.policy import (
    CPU_TEXTS,
    FREE_PADDING,
    GPU_PADDED_TEXTS,
    GPU_PADDED_TOKENS,
    GPU_TEXTS,
    GPU_TOKENS,
    INLINE_TOKENS,
    PACKED_TOKENS,
    BatchPolicy,
    Packed,
    Padded,
    policy_for,
)
from app.config.sections import BatchLimits
from tests.app.conftest import FakeClassifier


def test_oldest_is_always_chosen_and_bounds_hold() -> None:
    draw = random.Random(7)
    for _ in range(500):
        lengths = [draw.choice((1, 3, 20, 60, 500)) for _ in range(draw.randint(1, 40))]
        max_texts, max_tokens = draw.randint(1, 32), draw.choice((64, 512, 4096))
        chosen = Padded(max_texts, max_tokens).cut(lengths)
        assert 0 in chosen
        assert len(set(chosen)) == len(chosen) <= max_texts
        padded = max(lengths[i] for i in chosen) * len(chosen)
        assert len(chosen) == 1 or padded <= max_tokens
        assert len(chosen) == 1 or padded <= max(FREE_PADDING, 2 * sum(lengths[i] for i in chosen))


def test_similar_lengths_go_together() -> None:
    lengths = [10, 400, 11, 390, 9, 12]
    assert sorted(Padded(4, 4096).cut(lengths)) == [0, 2, 4, 5]


def test_long_text_does_not_make_short_ones_pay() -> None:
    lengths, policy = [512, *[10] * 63], Padded(64, 65_536)
    assert len(policy.cut(lengths)) <= 4
    assert len(policy.cut(lengths[::-1])) == 63


@pytest.mark.parametrize(
    ("policy", "lengths", "cost"),
    [
        (Padded(9, 99), [3, 5, 0], 15),
        (Padded(9, 99), [0, 0], 2),  # even an empty text is computed as one token
        (Packed(9, 99), [3, 5, 0], 8),
    ],
)
def test_cost_counts_the_padding_where_there_is_any(policy: BatchPolicy, lengths: list[int], cost: int) -> None:
    assert policy.cost(lengths) == cost


def test_a_packed_batch_is_the_oldest_texts_within_the_bounds() -> None:
    policy = Packed(3, 100)
    assert policy.cut([50, 1, 49]) == [0, 1, 2]
    assert policy.cut([50, 1, 50]) == [0, 1]
    assert policy.cut([300, 1]) == [0]


def test_the_policy_follows_how_the_classifier_computes() -> None:
    classifier, limits = FakeClassifier(), BatchLimits(max_batch_texts=5)
    assert policy_for(classifier, limits) == Padded(5, limits.max_batch_tokens)
    classifier.pads = False
    assert policy_for(classifier, limits) == Packed(5, PACKED_TOKENS["cpu"], INLINE_TOKENS)
    classifier.device = "cuda:1"
    assert policy_for(classifier, limits) == Packed(5, GPU_TOKENS)


@pytest.mark.parametrize(
    ("limits", "texts"),
    [(BatchLimits(), CPU_TEXTS), (BatchLimits(max_batch_texts=64), 64), (BatchLimits(max_queue_texts=100), 100)],
    ids=str,
)
def test_a_cpu_that_pads_nothing_takes_whole_blocks_unless_the_settings_bound_them(
    limits: BatchLimits, texts: int
) -> None:
    classifier = FakeClassifier()
    classifier.pads = False
    assert policy_for(classifier, limits).max_texts == texts


@pytest.mark.parametrize(
    ("pads", "limits", "policy"),
    [
        (False, BatchLimits(), Packed(GPU_TEXTS, GPU_TOKENS)),
        (True, BatchLimits(), Padded(GPU_PADDED_TEXTS, GPU_PADDED_TOKENS)),
        (False, BatchLimits(max_batch_texts=64, max_batch_tokens=16_384), Packed(64, 16_384)),
        (False, BatchLimits(max_batch_tokens=10**6), Packed(GPU_TEXTS, PACKED_TOKENS["cuda"])),
        (False, BatchLimits(max_queue_texts=100, max_queue_tokens=20_000), Packed(100, 20_000)),
    ],
    ids=str,
)
def test_a_gpu_has_larger_batches_unless_the_settings_bound_them(
    pads: bool, limits: BatchLimits, policy: BatchPolicy
) -> None:
    classifier = FakeClassifier()
    classifier.device, classifier.pads = "cuda:0", pads
    assert policy_for(classifier, limits) == policy

"""Texts to label next: unsure ones that differ, and typical ones before there are labels."""

import numpy as np
import pytest

from training.annotation.choose import choose_typical, choose_unsure, uncertainty


def groups(sizes: list[int], seed: int = 0) -> np.ndarray:
    """Vectors around as many corners as there are sizes, so many around each."""
    rng = np.random.default_rng(seed)
    places = np.repeat(np.arange(len(sizes)), sizes)
    return (5 * np.eye(len(sizes))[places] + 0.1 * rng.normal(size=(len(places), len(sizes)))).astype(np.float32)


def test_uncertainty_runs_from_sure_to_even() -> None:
    found = uncertainty(np.array([[0.9, 0.1, 0], [0.4, 0.35, 0.25], [0, 0.5, 0.5], [1, 0, 0]], dtype=np.float32))
    assert found.tolist() == pytest.approx([0.2, 0.95, 1, 0])


def test_of_several_labels_the_least_sure_one_counts() -> None:
    found = uncertainty(np.array([[0.99, 0.5], [0.9, 0.01]], dtype=np.float32), multi_label=True)
    assert found.tolist() == pytest.approx([1.0, 0.2])


def test_near_copies_of_an_unsure_text_are_not_all_chosen() -> None:
    vectors = groups([10, 10, 10])
    unsure = np.linspace(1, 0.5, 30, dtype=np.float32)  # the ten most unsure are all alike
    for seed in range(3):
        chosen = choose_unsure(unsure, lambda places: vectors[places], 3, seed=seed)
        assert (chosen // 10).tolist() == [0, 1, 2]


def test_sure_texts_are_left_out_however_far_they_are() -> None:
    rng = np.random.default_rng(0)
    vectors = 100 * rng.normal(size=(1000, 4)).astype(np.float32)
    unsure = np.concatenate([np.full(50, 0.9), np.full(950, 0.1)]).astype(np.float32)
    assert set(choose_unsure(unsure, lambda places: vectors[places], 5, seed=0)) <= set(range(50))


def test_every_text_is_chosen_once_where_there_are_few_or_copies_only() -> None:
    same = np.ones((40, 2), dtype=np.float32)
    unsure = np.linspace(0.1, 0.5, 40, dtype=np.float32)
    assert choose_unsure(unsure[:4], lambda places: same[places], 9, seed=0).tolist() == [3, 2, 1, 0]
    assert len(set(choose_unsure(unsure, lambda places: same[places], 6, seed=0).tolist())) == 6
    assert sorted(choose_typical(same[:5], 9, known=2, seed=0)) == [2, 3, 4]


def test_typical_texts_are_of_each_group_the_largest_first() -> None:
    vectors = groups([5, 30, 15])
    vectors[0] += 2  # an odd one of its group
    chosen = choose_typical(vectors, 3, seed=0)
    assert np.searchsorted([5, 35, 50], chosen, side="right").tolist() == [1, 2, 0]
    assert 0 not in chosen
    more = choose_typical(vectors, 4, seed=0)
    assert len(set(more.tolist())) == 4


def test_groups_that_have_a_label_are_left_to_the_last() -> None:
    vectors = groups([1, 30, 1, 15])[[1, *range(31), *range(31, 47)]]  # the first, with a label, is of the large group
    chosen = choose_typical(vectors, 2, known=1, seed=0)
    assert not set(chosen.tolist()) & set(range(2, 32))

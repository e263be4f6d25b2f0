import numpy as np
import pytest

from training.annotation.choose import choose, uncertainty


def test_uncertainty_runs_from_sure_to_even() -> None:
    found = uncertainty(np.array([[1, 0, 0], [1 / 3, 1 / 3, 1 / 3], [0.5, 0.5, 0]], dtype=np.float32), kind="entropy")
    assert found.tolist() == pytest.approx([0, 1, np.log(2) / np.log(3)], abs=1e-6)
    margins = uncertainty(np.array([[0.9, 0.1, 0], [0.4, 0.35, 0.25]], dtype=np.float32), kind="margin")
    assert margins.tolist() == pytest.approx([0.2, 0.95])


def test_of_several_labels_the_least_sure_one_counts() -> None:
    found = uncertainty(np.array([[0.99, 0.5], [0.9, 0.01]], dtype=np.float32), kind="margin", multi_label=True)
    assert found.tolist() == pytest.approx([1.0, 0.2])


def test_copies_of_an_unsure_text_are_not_all_chosen() -> None:
    vectors = np.repeat(np.eye(3, dtype=np.float32), 10, axis=0)
    unsure = np.linspace(1, 0.5, 30, dtype=np.float32)  # the ten most unsure are all alike
    for seed in range(5):
        chosen = choose(unsure, vectors, 3, seed=seed)
        assert sorted(chosen.places // 10) == [0, 1, 2]
        assert chosen.places[0] == 0
        assert chosen.uncertainty.tolist() == unsure[chosen.places].tolist()


def test_sure_texts_are_left_out_however_far_they_are() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(1000, 4)).astype(np.float32)
    unsure = np.concatenate([np.full(50, 0.9), np.full(950, 0.1)]).astype(np.float32)
    assert set(choose(unsure, 100 * vectors, 5, seed=0).places) <= set(range(50))


def test_every_text_is_chosen_once_where_there_are_few_or_copies_only() -> None:
    same = np.ones((4, 2), dtype=np.float32)
    assert choose(np.array([0.1, 0.4, 0.3, 0.2], dtype=np.float32), same, 4, seed=0).places.tolist() == [1, 2, 3, 0]
    assert sorted(choose(np.zeros(4, dtype=np.float32), np.eye(4, dtype=np.float32), 9, seed=0).places) == [0, 1, 2, 3]


def test_the_same_seed_chooses_the_same() -> None:
    rng = np.random.default_rng(1)
    unsure, vectors = rng.random(200).astype(np.float32), rng.normal(size=(200, 8)).astype(np.float32)
    first = choose(unsure, vectors, 10, seed=3).places.tolist()
    assert first == choose(unsure, vectors, 10, seed=3).places.tolist()
    assert first != choose(unsure, vectors, 10, seed=4).places.tolist()

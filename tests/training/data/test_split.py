from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tables.errors import Row
from tables.labels import Names
from training.data.dataset import Dataset
from training.data.duplicates import normalised
from training.data.split import fold_of, halve, small_labels, split
from training.errors import DataError


def dataset(texts: list[str], labels: Sequence[str | Names]) -> Dataset:
    multi = any(isinstance(label, tuple) for label in labels)
    names = [label if isinstance(label, tuple) else (label,) for label in labels]
    rows = [Row(i + 1) for i in range(len(texts))]
    return Dataset(Path("x.csv"), "multi_label" if multi else "single_label", texts, names, rows, "text", "label")


def test_each_label_is_set_aside_in_its_share() -> None:
    data = dataset([f"t{i}" for i in range(300)], ["a"] * 200 + ["b"] * 100)
    train, validation = split(data, fraction=0.1, seed=0)
    assert validation.counts() == Counter(a=20, b=10)
    assert sorted(train.texts + validation.texts) == sorted(data.texts)
    assert split(data, fraction=0.1, seed=0)[1].texts == validation.texts
    assert split(data, fraction=0.1, seed=1)[1].texts != validation.texts


@given(
    st.lists(st.tuples(st.sampled_from("abcdefgh"), st.sampled_from("xyz")), min_size=2, max_size=60), st.integers(0, 9)
)
@settings(deadline=None)
def test_equal_texts_stay_on_one_side_and_no_label_leaves_training(pairs: list[tuple[str, str]], seed: int) -> None:
    texts, labels = [text for text, _ in pairs], [label for _, label in pairs]
    try:
        train, validation = split(dataset([*texts, "first", "second"], [*labels, "w", "w"]), fraction=0.3, seed=seed)
    except DataError:
        pytest.fail("two different texts of one label can always be split")
    assert not set(map(normalised, train.texts)) & set(map(normalised, validation.texts))
    assert len(train) + len(validation) == len(pairs) + 2
    assert train.counts()["w"] == validation.counts()["w"] == 1


def test_a_rare_label_keeps_a_training_text() -> None:
    data = dataset([f"t{i}" for i in range(22)], ["a"] * 20 + ["rare"] + ["b"])
    train, validation = split(data, fraction=0.5, seed=0)
    assert train.counts()["rare"] == train.counts()["b"] == 1
    assert validation.counts() == Counter(a=10)


def test_a_multi_label_text_counts_for_its_rarest_label() -> None:
    data = dataset([f"t{i}" for i in range(100)], [("common", "rare") if i < 10 else ("common",) for i in range(100)])
    _, validation = split(data, fraction=0.2, seed=0)
    assert validation.counts() == Counter(common=20, rare=2)


def test_nothing_to_set_aside() -> None:
    with pytest.raises(DataError, match="give a validation file"):
        split(dataset(["same", "Same!"], ["a", "a"]), fraction=0.5, seed=0)


def test_rare_labels_are_counted_rarest_first() -> None:
    assert small_labels(dataset(["a", "b", "c"], ["x", "y", "y"]), fewer_than=3) == [("x", 1), ("y", 2)]


def test_halves_hold_every_label_that_has_two_texts() -> None:
    texts = [f"t{i}" for i in range(1012)]
    labels = [*(f"single {i}" for i in range(1000)), *["pair"] * 2, *["many"] * 9, "one more"]
    first, second = halve(dataset(texts, labels), seed=0)
    assert {len(first), len(second)} == {506}
    assert first.counts()["pair"] == second.counts()["pair"] == 1
    assert {first.counts()["many"], second.counts()["many"]} == {4, 5}
    assert sorted(first.texts + second.texts) == sorted(texts)
    assert halve(dataset(texts, labels), seed=0)[0].texts == first.texts
    assert halve(dataset(texts, labels), seed=1)[0].texts != first.texts


def test_halves_share_no_text_unless_there_is_one_only() -> None:
    data = dataset(["same", "Same!", "same", "x", "y"], [("a", "b"), ("a", "b"), ("a",), ("b",), ()])
    first, second = halve(data, seed=0)
    assert not set(map(normalised, first.texts)) & set(map(normalised, second.texts))
    assert len(first) + len(second) == 5
    one = dataset(["same", "Same!"], ["a", "b"])
    assert halve(one, seed=0) == (one, one)


def test_folds_have_each_label_in_its_share_and_equal_texts_together() -> None:
    texts = [f"t{i // 2}" for i in range(120)]
    data = dataset(texts, ["a" if i // 2 < 40 else "b" for i in range(120)])
    fold_N = fold_of(data, 5, seed=0)
    assert Counter(zip(fold_N.tolist(), (names[0] for names in data.labels), strict=True)) == Counter(
        {(fold, label): {"a": 16, "b": 8}[label] for fold in range(5) for label in "ab"}
    )
    assert (fold_N[::2] == fold_N[1::2]).all()
    assert (fold_of(data, 5, seed=0) == fold_N).all()
    assert (fold_of(data, 5, seed=1) != fold_N).any()


def test_labels_of_one_text_each_are_spread_over_the_folds() -> None:
    fold_N = fold_of(dataset([f"t{i}" for i in range(10)], [f"l{i}" for i in range(10)]), 5, seed=0)
    assert Counter(fold_N.tolist()) == Counter(dict.fromkeys(range(5), 2))


def test_fewer_different_texts_than_folds_are_refused() -> None:
    with pytest.raises(DataError, match=r"fewer than 5 different texts .* \(data\.folds\)"):
        fold_of(dataset(["a", "a", "b", "c", "d"], list("xyxyx")), 5, seed=0)

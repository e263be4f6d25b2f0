"""Out-of-fold probabilities: nothing that a text says of itself is in them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tables.errors import Row
from training.data.dataset import Dataset
from training.linear.out_of_fold import average, out_of_fold

WORDS = {"a": ["good", "great"], "b": ["bad", "awful"], "c": ["so", "fair"]}


def dataset(labels: str = "abc", rows: int = 60) -> Dataset:
    rng = np.random.default_rng(0)
    names = [labels[i % len(labels)] for i in range(rows)]
    texts = [f"{rng.choice(WORDS[name])} {rng.choice(['film', 'plot'])} no{i}" for i, name in enumerate(names)]
    places = [Row(i + 1) for i in range(rows)]
    return Dataset(Path("x"), "single_label", texts, [(name,) for name in names], places, "text", "label")


@pytest.mark.parametrize("labels", ["ab", "abc"])
def test_a_wrong_label_does_not_vouch_for_itself(labels: str) -> None:
    data = dataset(labels)
    data.labels[0] = ("b",)  # the text says "a"
    vectors = np.eye(2)[[int("good" in text or "great" in text) for text in data.texts]]
    for given in (None, vectors):
        p = out_of_fold(data, tuple(labels), vectors_ND=given)
        np.testing.assert_allclose(p.sum(axis=1), 1.0, rtol=1e-5)
        assert p[0].argmax() == 0
        assert (p.argmax(axis=1)[1:] == [labels.index(name) for (name,) in data.labels[1:]]).mean() > 0.95


def test_texts_are_judged_as_they_come_by_what_was_learned_from_masked_ones() -> None:
    data = dataset("ab")
    masked = ["masked" if name == "a" else f"other words{i}" for i, (name,) in enumerate(data.labels)]
    unmasked = replace(data, texts=[f"name{i}" if text == "masked" else text for i, text in enumerate(masked)])
    p = out_of_fold(unmasked, ("a", "b"), learned=masked)
    assert (p[1::2, 1] > 0.8).all()
    assert p[::2, 0].std() < 0.02, "no text without a mask is known from another"


def test_equal_texts_do_not_vouch_for_one_another() -> None:
    data = dataset()
    texts, labels = list(data.texts), list(data.labels)
    texts[0] = texts[3] = "unheard of words here"
    labels[0] = labels[3] = ("c",)
    p = out_of_fold(replace(data, texts=texts, labels=labels), ("a", "b", "c"))
    assert p[0].max() < 0.6, "were one learned from, the other would be known"


@pytest.mark.parametrize("labels", ["ab", "abc"])
def test_texts_that_weigh_next_to_nothing_teach_nothing(labels: str) -> None:
    data = dataset(labels, 90)
    vectors = np.eye(3)[[labels.index(name) for (name,) in data.labels]]
    wrong: list[tuple[str, ...]] = [
        ("b",) if i >= 30 and name == "a" else (name,) for i, (name,) in enumerate(data.labels)
    ]
    weighed = replace(data, labels=wrong, weights=np.repeat([1.0, 1e-6], [30, 60]).astype(np.float32))
    for given in (None, vectors):
        p = out_of_fold(weighed, tuple(labels), vectors_ND=given)
        assert (p.argmax(axis=1) == [labels.index(name) for (name,) in data.labels]).mean() > 0.9


def test_sets_of_labels_and_few_texts_are_judged_too() -> None:
    data = dataset()
    sets = replace(
        data, task="multi_label", labels=[(*names, "d") if i % 2 else names for i, names in enumerate(data.labels)]
    )
    p = out_of_fold(sets, ("a", "b", "c", "d"))
    assert p.shape == (60, 4)
    assert ((p[:, :3].argmax(axis=1)) == [("abc").index(names[0]) for names in data.labels]).mean() > 0.9
    few = data.take(range(3))
    assert np.isfinite(out_of_fold(few, ("a", "b", "c"))).all()


def test_a_text_gets_no_label_that_its_source_lacks() -> None:
    data = dataset()
    chosen = replace(data, choices=[("a", "b")] * 30 + [()] * 30)
    chosen.labels[:30] = [("a",) if names == ("c",) else names for names in data.labels[:30]]
    p = out_of_fold(chosen, ("a", "b", "c"))
    assert p[:30, 2].max() < 1e-6
    assert p[30:, 2].max() > 0.5


def test_several_labels_are_averaged_by_their_log_odds() -> None:
    parts = [np.array([[0.9, 0.2]]), np.array([[0.5, 0.2]])]
    np.testing.assert_allclose(average(parts, task="multi_label"), [[0.75, 0.2]], rtol=1e-6)


def test_where_all_texts_are_equal_nothing_can_judge_them() -> None:
    data = dataset("ab", 4)
    p = out_of_fold(replace(data, texts=["the same"] * 4), ("a", "b"))
    assert p.tolist() == [[0.5, 0.5]] * 4

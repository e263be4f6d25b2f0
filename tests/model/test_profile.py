"""Counts worked out by hand, and what parts two of them."""

import numpy as np
import pytest
from pydantic import ValidationError
from tokenizers import Tokenizer

from model.classifier import Classifier
from model.profile import (
    ASPECTS,
    BOUNDS,
    Counts,
    Profiler,
    Reference,
    reference_in,
    stability_index,
)
from model.text import Encoded, TextEncoder
from tests.conftest import make_checkpoint


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    """Its vocabulary was learned from English and a few Chinese characters."""
    return make_checkpoint().tokenizer


def test_counts_of_a_single_label_model(tokenizer: Tokenizer) -> None:
    profiler = Profiler(tokenizer, task="single_label", num_labels=3, thresholds=None)
    encoded = TextEncoder(tokenizer, max_tokens=32).encode(["a good film", "", "ф", "a bad film"])
    rows = np.array([[0.2, 0.7, 0.1], [0.35, 0.325, 0.325], [0.004, 0.996, 0], [0.1, 0.05, 0.85]], dtype=np.float32)
    profile = profiler.profile(encoded, rows)
    assert profile.texts == 4
    assert profile.counts["label"].tolist() == [1, 2, 1, 0]

    def filled(aspect: str) -> dict[int, float]:
        return {place: count for place, count in enumerate(profile.counts[aspect]) if count}

    def place(aspect: str, value: float) -> int:
        return int(np.searchsorted(BOUNDS[aspect], value))

    assert filled("confidence") == {3: 1, 6: 1, 8: 1, 11: 1}
    lengths = [text.num_tokens for text in encoded]
    assert lengths[:3] == [3, 0, 2]
    assert filled("length") == {0: 1, 1: 3}
    assert filled("unknown") == {0: 3, place("unknown", 1.0): 1}
    assert profile.sums["length"] == sum(lengths)
    assert profile.sums["unknown"] == 1
    assert profile.sums["confidence"] == pytest.approx(0.7 + 0.35 + 0.996 + 0.85)


def test_counts_of_a_multi_label_model(tokenizer: Tokenizer) -> None:
    encoded = [Encoded(np.zeros(0, dtype=np.int32))] * 3
    rows = np.array([[0.6, 0.6], [0.6, 0.3], [0.1, 0.2]], dtype=np.float32)
    of_halves = Profiler(tokenizer, task="multi_label", num_labels=2, thresholds=None)
    assert of_halves.profile(encoded, rows).counts["label"].tolist() == [2, 1, 1]
    of_its_own = Profiler(tokenizer, task="multi_label", num_labels=2, thresholds=(0.05, 0.3))
    assert of_its_own.profile(encoded, rows).counts["label"].tolist() == [3, 2, 0]


def test_a_reference_says_what_the_profile_says_and_survives_json() -> None:
    classifier = Classifier(make_checkpoint(), device="cpu")
    texts = ["a good film", "难看", "", "фильм"]
    profile = classifier.profile(classifier.encode(texts), classifier.predict(texts))
    stored = Reference.of(profile, classifier.labels, ())
    read = reference_in({"reference": Reference.model_validate_json(stored.model_dump_json()).model_dump(mode="json")})
    assert read is not None
    assert read.texts == 4
    assert read.counts(classifier.labels).keys() == set(ASPECTS)
    for aspect, counts in read.counts(classifier.labels).items():
        assert counts.tolist() == profile.counts[aspect].tolist()


def test_no_reference() -> None:
    assert reference_in({"test": {"accuracy": 0.5}}) is None
    assert Classifier(make_checkpoint(), device="cpu").reference is None


def _stored() -> dict[str, object]:
    buckets = {aspect: {"bounds": bounds, "counts": [1] * (len(bounds) + 1)} for aspect, bounds in BOUNDS.items()}
    return {"texts": 3, "files": [], "labels": {"a": 1, "b": 2}} | buckets


def test_buckets_of_another_age_are_not_compared() -> None:
    stored = _stored() | {"length": {"bounds": [10, 20], "counts": [1, 1, 1]}}
    reference = Reference.model_validate(stored)
    assert reference.counts(("b", "a")).keys() == {"label", "confidence", "unknown"}
    assert reference.counts(("b", "a"))["label"].tolist() == [2, 1, 0]


@pytest.mark.parametrize(
    ("wrong", "cause"),
    [
        ({"length": {"bounds": [10, 20], "counts": [1, 1]}}, "2 counts for 2 bounds"),
        ({"texts": 0}, "greater than or equal to 1"),
        ({"smell": 1}, "Extra inputs"),
    ],
)
def test_a_wrong_reference_is_refused(wrong: dict[str, object], cause: str) -> None:
    with pytest.raises(ValidationError, match=cause):
        Reference.model_validate(_stored() | wrong)


def test_the_index_of_equal_shares_is_nothing_and_of_opposite_ones_is_much() -> None:
    reference = np.array([5000.0, 3000.0, 2000.0])
    assert stability_index(reference, reference / 10) == 0
    assert stability_index(reference, reference[::-1]) == pytest.approx(0.55, abs=0.01)  # 2 * 0.3 * ln(2.5)
    emptied = stability_index(reference, np.array([1000.0, 0.0, 0.0]))
    assert 1 < emptied < 10


@pytest.mark.parametrize("num_labels", [2, 1000])
def test_chance_alone_is_no_drift(num_labels: int) -> None:
    rng = np.random.default_rng(0)
    shares = rng.dirichlet(np.ones(num_labels))

    def drawn(texts: int) -> Counts:
        return rng.multinomial(texts, shares).astype(np.float64)

    assert max(stability_index(drawn(20_000), drawn(1000)) for _ in range(50)) < 0.1

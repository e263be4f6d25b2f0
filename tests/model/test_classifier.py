"""Texts in, probabilities out."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from model.checkpoint import load_checkpoint
from model.classifier import Classifier, set_num_threads
from model.errors import CheckpointMissing, ConfigError
from model.text import Encoded
from model.vectors import embed
from tests.conftest import make_checkpoint

MIXED = ["a good film", "", "难看的电影", "😀" * 100, "\ud800 broken", "x" * 1_000_000, " \n", "don't miss it! " * 50]

NO_TOKENS = np.zeros(0, dtype=np.int32)


@pytest.fixture(scope="module")
def classifier(tiny_checkpoint: Path) -> Classifier:
    return Classifier.load(tiny_checkpoint, device="cpu")


def test_says_what_it_is(classifier: Classifier, tiny_checkpoint: Path) -> None:
    assert classifier.labels == ("negative", "positive")
    assert classifier.task == "single_label"
    assert classifier.version == load_checkpoint(tiny_checkpoint).version
    assert classifier.max_tokens == 32
    assert (classifier.device, classifier.dtype) == ("cpu", "float32")
    assert classifier.metrics["test"]["accuracy"] == 0.5


def test_probabilities_are_the_tempered_softmax_of_the_network(classifier: Classifier) -> None:
    checkpoint = make_checkpoint()
    network = checkpoint.build_network()
    encoded = classifier.encode(["a good film"])
    import torch

    ids = torch.as_tensor(encoded[0].ids, dtype=torch.long).unsqueeze(1)
    a, b = network(ids, torch.tensor([len(ids)]))[0].tolist()
    positive = 1 / (1 + np.exp((a - b) / 1.5))
    assert classifier.score(encoded)[0].tolist() == pytest.approx([1 - positive, positive], abs=1e-6)


def test_multi_label_probabilities_are_a_sigmoid_each() -> None:
    made = make_checkpoint()
    config = made.config.model_copy(update={"task": "multi_label"})
    classifier = Classifier(type(made)(config, made.weights, made.tokenizer, {}, ""), device="cpu")
    logits = np.array([[1.5, -3.0]], dtype=np.float32)
    found = classifier.probabilities(classifier.calibrate(logits, [NO_TOKENS]))
    assert found[0].tolist() == pytest.approx([1 / (1 + np.exp(-1)), 1 / (1 + np.exp(2))])


def test_softmax_survives_large_logits(classifier: Classifier) -> None:
    assert classifier.probabilities(np.array([[1e4, -1e4]], dtype=np.float32)).tolist() == [[1.0, 0.0]]


def test_mixed_texts_score_the_same_alone_and_together(classifier: Classifier) -> None:
    together = classifier.predict(MIXED)
    assert together.shape == (len(MIXED), 2)
    np.testing.assert_allclose(together.sum(axis=1), 1, atol=1e-6)
    for text, row in zip(MIXED, together, strict=True):
        np.testing.assert_allclose(classifier.predict([text])[0], row, atol=1e-5, rtol=0)
    np.testing.assert_allclose(classifier.predict(MIXED, max_batch_tokens=1), together, atol=1e-5, rtol=0)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(st.characters(codec=None), max_size=80), max_size=8))
def test_any_text_gets_probabilities(classifier: Classifier, texts: list[str]) -> None:
    rows = classifier.predict(texts)
    assert rows.shape == (len(texts), 2)
    assert np.isfinite(rows).all()


@pytest.mark.parametrize(
    ("texts", "cause"),
    [
        ("abc", r"expected a list of texts, found a single str; write \[text\] for one text"),
        (b"abc", "expected a list of texts, found a single bytes"),
        ([1], r"texts\[0\]: expected str, found int"),
        (["a", None], r"texts\[1\]: expected str, found NoneType"),
    ],
)
def test_what_is_no_list_of_texts_is_refused(classifier: Classifier, texts: Any, cause: str) -> None:
    for called in (classifier.predict, partial(embed, classifier)):
        with pytest.raises(TypeError, match=cause):
            called(texts)


def test_an_empty_text_gets_the_prior(classifier: Classifier) -> None:
    bias = make_checkpoint().weights["head.bias"]
    prior = classifier.probabilities(classifier.calibrate(bias[None], [NO_TOKENS]))
    np.testing.assert_allclose(classifier.predict([""]), prior, atol=1e-6)


def test_bfloat16_is_close(tiny_checkpoint: Path, classifier: Classifier) -> None:
    rough = Classifier.load(tiny_checkpoint, device="cpu", dtype="bfloat16")
    np.testing.assert_allclose(rough.predict(MIXED), classifier.predict(MIXED), atol=0.03)


def test_warm_up_runs_up_to_the_limit(classifier: Classifier, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    monkeypatch.setattr(classifier, "score", lambda batch: seen.append(batch[0].num_tokens))
    classifier.warm_up()
    assert seen == [length for length in (1, 2, 4, 8, 16, 32) for _ in range(2)]


def test_an_empty_batch_is_no_trouble(classifier: Classifier) -> None:
    assert classifier.predict([]).shape == (0, 2)
    assert classifier.score([Encoded(np.array([], dtype=np.int32))]).shape == (1, 2)


def test_what_cannot_be_had_is_refused(tiny_checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="tpu"):
        Classifier.load(tiny_checkpoint, device="tpu")
    with pytest.raises(ConfigError, match="float8"):
        Classifier.load(tiny_checkpoint, dtype="float8")
    with pytest.raises(CheckpointMissing):
        Classifier.load(tmp_path / "nothing")
    with pytest.raises(ConfigError, match="at least 1"):
        set_num_threads(0)

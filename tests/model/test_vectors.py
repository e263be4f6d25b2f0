from pathlib import Path

import numpy as np
import pytest
import torch

from model.checkpoint import load_checkpoint
from model.classifier import Classifier
from model.engine.cpu import unfit
from model.vectors import embed, unit_length
from tests.conftest import make_checkpoint

TEXTS = ["a good film", "", "难看的电影", "a bad and boring film " * 20, "a good film", "10/10 😀", "don't miss it!"]


@pytest.mark.parametrize("dtype", ["float32", "int8"])
def test_vectors_of_a_checkpoint_are_what_its_head_reads_made_one_long(tiny_checkpoint: Path, dtype: str) -> None:
    checkpoint = load_checkpoint(tiny_checkpoint)
    if dtype == "int8" and (reason := unfit(checkpoint.config.architecture)):
        pytest.skip(reason)
    network = checkpoint.build_network()
    classifier = Classifier(checkpoint, device="cpu", dtype=dtype)
    assert classifier.vector_size == 36
    found = embed(classifier, TEXTS)
    assert found.shape == (len(TEXTS), 36)
    for text, vector_P in zip(TEXTS, found, strict=True):
        ids = checkpoint.tokenizer.encode(text).ids[: checkpoint.config.max_tokens]
        if not ids:
            assert not vector_P.any()
            continue
        pooled = network.encoder(network.embedding[torch.tensor(ids)].unsqueeze(1), torch.tensor([len(ids)]))[0]
        wanted = (pooled / pooled.norm()).detach().numpy()
        np.testing.assert_allclose(vector_P, wanted, atol=1e-6 if dtype == "float32" else 0.02)


def test_the_head_makes_the_logits_of_the_vectors() -> None:
    checkpoint = make_checkpoint()
    classifier = Classifier(checkpoint, device="cpu")
    encoded = classifier.encode(TEXTS)
    logits = classifier.vectors(encoded) @ checkpoint.weights["head.weight"].T + checkpoint.weights["head.bias"]
    np.testing.assert_allclose(logits, classifier.raw_logits(encoded), atol=1e-5)


def test_vectors_do_not_depend_on_the_batch(tiny_checkpoint: Path) -> None:
    classifier = Classifier.load(tiny_checkpoint, device="cpu")
    together = embed(classifier, TEXTS, normalize=False)
    for text, vector_P in zip(TEXTS, together, strict=True):
        np.testing.assert_allclose(embed(classifier, [text], normalize=False)[0], vector_P, atol=1e-6)
    np.testing.assert_allclose(embed(classifier, TEXTS, normalize=False, max_batch_tokens=1), together, atol=1e-6)
    assert embed(classifier, []).shape == (0, 36)


def test_lengths_are_one_but_of_zeros() -> None:
    found = unit_length(np.array([[0, 0, 0], [1e-10, 0, 0], [2e15, -1e15, 5]], dtype=np.float32))
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), [0, 1, 1], atol=1e-6)

"""The n-grams beside networks of folds."""

import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.console import Console

from model.batch import Ids
from model.config import Architecture
from model.network import RecurrentClassifier
from training.config.config import TrainConfig
from training.data.config import DataConfig
from training.data.corpus import read_corpus
from training.data.dataset import encode_labels
from training.runs.blend import with_cross_fitted_ngrams


def token_ids(texts: Sequence[str]) -> list[Ids]:
    """A token for each word."""
    return [np.array([zlib.crc32(word.encode()) % 5000 for word in text.split()], np.int32) for text in texts]


def test_with_folds_masked_texts_are_judged_as_they_come(tmp_path: Path) -> None:
    """Only the mask tells the labels apart, and no text to come will have it."""
    rows = [(f"some name{i}@example{i}.com", "x") for i in range(30)] + [(f"some word{i}", "y") for i in range(30)]
    path = tmp_path / "train.csv"
    path.write_text("text,label\n" + "".join(f"{text},{label}\n" for text, label in rows), encoding="utf-8")
    data = DataConfig(train=str(path), mask_personal=True)
    corpus = read_corpus(data, seed=0, data_root=tmp_path, folds=3)
    network = RecurrentClassifier(Architecture(vocab_size=5000, embedding_dim=2, hidden_size=2), 2)
    train, held = (token_ids(dataset.texts) for dataset in (corpus.train, corpus.validation))
    given = (network, np.zeros((60, 2)), train, held, corpus, TrainConfig(), Console(quiet=True))
    _, logits_NC = with_cross_fitted_ngrams(*given)
    truth_N = encode_labels(corpus.validation, corpus.labels)
    assert (logits_NC.argmax(1) == truth_N).mean() < 0.7

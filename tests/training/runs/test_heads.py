"""Fitting the head before the layers below it move."""

from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import Result
from tokenizers import Tokenizer, models

import training.runs.heads
from model.config import Architecture
from model.network import RecurrentClassifier
from tests.training.runs.test_train import session
from training.config.config import TrainConfig
from training.config.request import CallOptions
from training.config.start import Start
from training.data.config import DataConfig
from training.data.corpus import read_corpus
from training.data.dataset import encode_labels
from training.fit.trainer import Examples
from training.linear.probe import pooled_states
from training.runs.heads import fit_heads
from training.runs.train import begin, first_step


def test_a_head_is_fitted_and_chosen_on_a_few_texts_however_many_there_are(
    imitating: tuple[Path, Result], reviews: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = []

    def counted(network, rows, device):  # type: ignore[no-untyped-def]
        sizes.append(len(rows))
        return pooled_states(network, rows, device)

    monkeypatch.setattr(training.runs.heads, "pooled_states", counted)
    monkeypatch.setattr(training.runs.heads, "ENOUGH", 5)
    call = CallOptions(
        output=tmp_path / "m", data_root=reviews, train_file=reviews / "train.csv", adapt=True, start=imitating[0],
        settings=("data.folds=0", "loop.epochs=1"),
    )  # fmt: skip
    run = begin(call.request(), session(tmp_path / "m"))
    assert len(run.corpus.train) > 5 < len(run.corpus.stopping)
    first_step(run)
    assert sizes == [10]


def test_with_folds_the_strength_is_chosen_on_texts_without_masks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Token 1 stands here for a masked text, token 2 for the same text without a mask."""
    (tmp_path / "train.csv").write_text("text,label\n" + "".join(f"text {i},{'xyy'[i % 3]}\n" for i in range(12)))
    corpus = read_corpus(DataConfig(train=str(tmp_path / "train.csv")), seed=0, data_root=tmp_path, folds=2)
    targets = encode_labels(corpus.train, corpus.labels)
    masked, unmasked = (Examples([np.array([token], np.int32)] * 12, targets) for token in (1, 2))
    judged = []

    def choose(features_NF, targets, parts, task, *, balanced):  # type: ignore[no-untyped-def]
        for fitted, held in parts:
            assert set(features_NF[fitted, 0]) == {1.0}
            judged.append((set(features_NF[held, 0]), targets.take(held).truth_NC.argmax(1).tolist()))
        return 1.0

    monkeypatch.setattr(training.runs.heads, "pooled_states", lambda network, rows, device: np.array(rows, float))
    monkeypatch.setattr(training.runs.heads, "choose_strength", choose)
    start = Start("s", "v", {}, (), Tokenizer(models.BPE()), {}, "", {}, None, maps=((np.eye(1), np.zeros(1)),))
    network = RecurrentClassifier(Architecture(vocab_size=3, embedding_dim=2, hidden_size=2), 2)
    heads = fit_heads(network, masked, unmasked, corpus, TrainConfig(), start, torch.device("cpu"))
    assert heads is not None
    assert len(heads.folds) == 2
    assert corpus.fold_N is not None
    assert judged == [({2.0}, targets[corpus.fold_N == fold].tolist()) for fold in range(2)]

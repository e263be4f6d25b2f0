import dataclasses
from pathlib import Path

import pytest

from training.data.config import DataConfig
from training.data.corpus import Corpus, read_corpus
from training.data.transfer import build_transfer_set, known_labels, label_weights
from training.data.variants import AugmentConfig

NONE = AugmentConfig(variants=0, unlabeled_variants=0)


def test_each_text_stands_once_and_no_held_out_text_stands_at_all(corpus: Corpus) -> None:
    transfer = build_transfer_set(corpus, ["new", "so bad", "Only  here", "FINE."], NONE, seed=0)
    assert transfer.texts == ["so good", "so bad", "new"]
    assert (transfer.num_given, transfer.num_withheld) == (3, 3)
    assert transfer.describe() == "transfer set: 3 texts and 0 variants; 3 left out, which validation or test has"


def test_variants_of_either_kind_come_as_many_as_asked(corpus: Corpus) -> None:
    unlabeled = ["one two three four five six seven eight", "new"]
    some = NONE.model_copy(update={"unlabeled_variants": 30, "crop": 0.0})
    transfer = build_transfer_set(corpus, unlabeled, some, seed=0)
    assert transfer.texts[:4] == ["so good", "so bad", *unlabeled]
    variants = transfer.texts[4:]
    assert 10 < len(variants) <= 30
    assert all(set(variant.split()) <= set(unlabeled[0].split()) for variant in variants)
    labelled = build_transfer_set(corpus, unlabeled, NONE.model_copy(update={"variants": 30}), seed=0)
    assert {word for text in labelled.texts[4:] for word in text.split()} <= {"so", "good", "bad"}
    assert build_transfer_set(corpus, unlabeled, some, seed=0).texts == transfer.texts
    assert build_transfer_set(corpus, unlabeled, some, seed=1).texts != transfer.texts


def test_no_variant_is_a_held_out_text(corpus: Corpus) -> None:
    crops = NONE.model_copy(update={"unlabeled_variants": 200, "drop": 0.0, "crop": 1.0, "crop_max": 2})
    texts = build_transfer_set(corpus, ["not only here at all"], crops, seed=0).texts
    assert "here at" in texts
    assert "only here" not in texts


def test_labels_of_the_data_are_known_where_there_are_some(corpus: Corpus) -> None:
    texts = ["so bad", "new", "so good"]
    truth, allowed, labelled = known_labels(texts, corpus)
    assert allowed.all()
    narrow = dataclasses.replace(corpus.train, choices=[("a",)] * len(corpus.train))
    _, allowed, _ = known_labels(texts, dataclasses.replace(corpus, train=narrow))
    assert allowed.tolist() == [[True, False], [True, True], [True, False]]
    assert truth.tolist() == [[1, 0], [0, 0], [0, 1]]
    assert labelled.tolist() == [True, False, True]


def test_probabilities_of_the_data_are_known_as_they_are(tmp_path: Path) -> None:
    rows = ["text,neg,pos", "so good,0.1,0.9", "so bad,0.75,0.25", "fine,0.4,0.6"]
    (tmp_path / "soft.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    name = str(tmp_path / "soft.csv")
    soft = read_corpus(DataConfig(train=name, validation=name), seed=0, data_root=tmp_path)
    truth, _, labelled = known_labels(["so bad", "new", "so good"], soft)
    assert truth.tolist() == [pytest.approx(row) for row in ([0.75, 0.25], [0, 0], [0.1, 0.9])]
    assert labelled.tolist() == [True, False, True]


def test_a_text_weighs_what_its_set_says_and_one_without_a_label_one(corpus: Corpus, tmp_path: Path) -> None:
    assert label_weights(["so bad"], corpus, DataConfig()) is None
    rows = ["text,label,source", "a,good,one", "b,bad,one", "c,good,one", "d,bad,two", "e,good,three", "f,bad,three"]
    (tmp_path / "mixed.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    config = DataConfig(train=str(tmp_path / "mixed.csv"), source_column="source", source_power=0.0)
    mixed = read_corpus(config.model_copy(update={"validation": config.train}), seed=0, data_root=tmp_path)
    weights = label_weights(["d", "new", "a", "f"], mixed, config)
    assert weights is not None
    assert weights.tolist() == pytest.approx([2, 1, 2 / 3, 1])

from pathlib import Path

import pytest

from training.data.config import DataConfig
from training.data.corpus import Corpus, read_corpus
from training.data.unlabeled import build_transfer_set, known_labels, read_unlabeled, with_unlabeled
from training.data.variants import AugmentConfig
from training.errors import DataError

NONE = AugmentConfig(variants=0, unlabeled_variants=0)


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    (tmp_path / "train.csv").write_text("text,label\nso good,b\nso bad,a\nso good,b\nWell seen!,a\n", encoding="utf-8")
    (tmp_path / "dev.csv").write_text("text,label\nwell seen,a\nfine,b\n", encoding="utf-8")
    (tmp_path / "test.csv").write_text("text,label\nonly here,a\n", encoding="utf-8")
    files = {name: str(tmp_path / f"{file}.csv") for name, file in (("train", "train"), ("validation", "dev"))}
    config = DataConfig.model_validate(files | {"test": str(tmp_path / "test.csv")})
    return read_corpus(config, seed=0, data_root=tmp_path)


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
    truth, labelled = known_labels(["so bad", "new", "so good"], corpus)
    assert truth.tolist() == [[1, 0], [0, 0], [0, 1]]
    assert labelled.tolist() == [True, False, True]


def test_unlabelled_texts_are_read_from_one_column(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"review": "x", "n": 1}\n{"review": null, "n": 2}\n', encoding="utf-8")
    assert read_unlabeled(tmp_path / "a.jsonl", text_column="review") == ["x"]
    with pytest.raises(DataError, match="has no texts"):
        read_unlabeled(tmp_path / "a.jsonl", text_column="n")


def test_texts_without_labels_are_taken_once_and_none_that_is_held_out(corpus: Corpus, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text\nnew\nonly here!\nFine\nnew\nso bad\n", encoding="utf-8")
    (tmp_path / "b.csv").write_text("text\nNew\nnewer\n", encoding="utf-8")
    names = [str(tmp_path / name) for name in ("a.csv", "b.csv")]
    found = with_unlabeled(corpus, names, text_column="text", data_root=tmp_path)
    assert found.unlabeled == ("new", "so bad", "newer")
    assert found.training_texts == [*corpus.train.texts, "new", "so bad", "newer"]
    assert [(role, file.file, file.rows) for role, file in found.files.items()][-2:] == [
        ("unlabeled 1", "a.csv", 2),
        ("unlabeled 2", "b.csv", 1),
    ]
    assert with_unlabeled(corpus, [], text_column="text", data_root=tmp_path) == corpus
    with pytest.raises(DataError, match="every text in it also occurs in validation, test or an earlier file"):
        with_unlabeled(corpus, names[:1] * 2, text_column="text", data_root=tmp_path)

from pathlib import Path

import pytest

from training.data.corpus import Corpus
from training.data.unlabeled import read_unlabeled, with_unlabeled
from training.errors import DataError


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

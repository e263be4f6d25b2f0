from pathlib import Path

import pytest

from tables.parquet import write_parquet
from training.data.config import DataConfig
from training.data.continued import Continued
from training.data.corpus import Corpus, read_corpus
from training.errors import DataError

OLD = Continued("old", "single_label", ("Bad", "good"))


def read(folder: Path, labels: list[object], continued: Continued, **files: str) -> Corpus:
    write_parquet(folder / "new.parquet", {"text": [f"text {i}" for i in range(len(labels))], "label": labels})
    config = DataConfig(train=str(folder / "new.parquet"), **files)  # type: ignore[arg-type]
    return read_corpus(config, seed=0, data_root=folder, continued=continued)


def test_one_new_label_is_enough_and_tests_may_have_old_ones(tmp_path: Path) -> None:
    write_parquet(tmp_path / "test.parquet", {"text": ["a", "b"], "label": ["good", "fair"]})
    corpus = read(tmp_path, ["fair"] * 20, OLD, test=str(tmp_path / "test.parquet"))
    assert corpus.labels == ("Bad", "fair", "good")
    assert corpus.without_texts == ("Bad", "good")
    assert corpus.files["train"].labels == {"Bad": 0, "fair": 18, "good": 0}
    (warning,) = [warning for warning in corpus.warnings if "of the checkpoint" in warning]
    assert warning.startswith("no training text has 2 label(s) of the checkpoint (Bad, good): how well they are kept ")
    assert not [warning for warning in corpus.warnings if "no validation text has the label" in warning]


def test_labels_spelled_otherwise_are_named(tmp_path: Path) -> None:
    corpus = read(tmp_path, ["bad", "good"] * 10, OLD)
    assert corpus.labels == ("Bad", "bad", "good")
    assert "label 'bad' is new, but differs from 'Bad' of the checkpoint in spelling only" in corpus.warnings


def test_sets_of_labels_do_not_fit_a_checkpoint_of_one_label_a_text(tmp_path: Path) -> None:
    sets: list[object] = [["good"], ["good", "fair"]] * 10
    with pytest.raises(DataError, match="has several labels a text, but the checkpoint old gives one"):
        read(tmp_path, sets, OLD)
    multi = Continued("old", "multi_label", ("Bad", "good"))
    assert read(tmp_path, sets, multi).task == "multi_label"
    assert read(tmp_path, ["good", "fair"] * 10, multi).task == "multi_label"

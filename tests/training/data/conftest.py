from pathlib import Path

import pytest

from training.data.config import DataConfig
from training.data.corpus import Corpus, read_corpus


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    (tmp_path / "train.csv").write_text("text,label\nso good,b\nso bad,a\nso good,b\nWell seen!,a\n", encoding="utf-8")
    (tmp_path / "dev.csv").write_text("text,label\nwell seen,a\nfine,b\n", encoding="utf-8")
    (tmp_path / "test.csv").write_text("text,label\nonly here,a\n", encoding="utf-8")
    files = {name: str(tmp_path / f"{file}.csv") for name, file in (("train", "train"), ("validation", "dev"))}
    config = DataConfig.model_validate(files | {"test": str(tmp_path / "test.csv")})
    return read_corpus(config, seed=0, data_root=tmp_path)

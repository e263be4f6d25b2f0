from pathlib import Path

import pytest

from model.checkpoint import save_checkpoint
from model.classifier import Classifier
from tables.parquet import write_parquet
from tests.conftest import make_checkpoint

ROWS = 60
WORDS = {"anger": "awful", "none": "plain", "joy": "lovely", "surprise": "sudden"}


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sets whose labels a word gives away: `sst5` with emotions as labels, one of them unmapped, and `cr` without."""
    folder = tmp_path_factory.mktemp("data")
    for split in ("train", "validation"):
        labels = [tuple(WORDS)[i % 4] for i in range(ROWS)]
        texts = [f"{WORDS[label]} film {split} {i}" for i, label in enumerate(labels)]
        (folder / "sst5").mkdir(exist_ok=True)
        write_parquet(folder / "sst5" / f"{split}.parquet", {"text": texts, "label": labels})
    (folder / "cr").mkdir()
    polar = ["positive", "negative"] * (ROWS // 2)
    write_parquet(folder / "cr" / "validation.parquet", {"text": [f"good {i}" for i in range(ROWS)], "label": polar})
    return folder


@pytest.fixture(scope="session")
def three(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint folder with the label neutral, not to be changed."""
    folder = tmp_path_factory.mktemp("checkpoints") / "three"
    save_checkpoint(folder, make_checkpoint(labels=("negative", "neutral", "positive")))
    return folder


@pytest.fixture(scope="session")
def classifier(three: Path) -> Classifier:
    return Classifier.load(three, device="cpu")

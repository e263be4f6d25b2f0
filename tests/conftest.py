"""Small real things that every part of the suite can use."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

# One thread each: OpenMP threads of two processes on the same cores slow each other tenfold.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
import torch
from safetensors.numpy import save as save_arrays
from xdist.scheduler import LoadScopeScheduling

if not torch.cuda.is_available():
    os.environ.setdefault("TRITON_INTERPRET", "1")  # read when Triton is imported

from model.checkpoint import CARD, CONFIG, METRICS, TOKENIZER, WEIGHTS, Checkpoint, save_checkpoint
from model.config import Architecture, Cell, CheckpointConfig
from model.folder import as_json, write_folder
from model.network import RecurrentClassifier, to_arrays
from model.tokenizer import build_tokenizer, train_vocabulary

TOGETHER = {
    "tests/app/ray/": "ray",
    "tests/page/": "page",
    "tests/integration/": "integration",
    "tests/training/teachers/": "transformers",
    "tests/training/runs/test_distill.py": "transformers",
}
"""Groups of tests that one process runs, in their order, by how their names begin. Those of a folder share servers, a
cluster or a browser, and the last test of the page looks at what all of them have driven; those of transformers share
the import of its classes, several seconds. They take longest, so that they begin first."""


class FilesAndFolders(LoadScopeScheduling):  # type: ignore[misc]  # pytest-xdist has no types
    """Hands out whole files, so that fixtures of a module are made once, and whole groups where `TOGETHER` has them.

    pytest-xdist's own groups (`xdist_group`) do nothing here.
    """

    def __init__(self, config: pytest.Config, log: Any) -> None:
        super().__init__(config, log)
        config.option.loadscopereorder = False  # most tests first would begin with the short ones

    def _split_scope(self, nodeid: str) -> str:
        groups = (group for start, group in TOGETHER.items() if nodeid.startswith(start))
        return next(groups, nodeid.partition("::")[0])


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> FilesAndFolders:
    """Takes the place of `--dist`."""
    return FilesAndFolders(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Puts the longest first where several processes run them."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: not item.nodeid.startswith(tuple(TOGETHER)))


TEXTS = (
    "a good and charming film",
    "a bad and boring film",
    "很好看的电影",
    "难看的电影",
    "don't miss it!",
    "10/10 😀",
)


def make_checkpoint(
    *, labels: tuple[str, ...] = ("negative", "positive"), max_tokens: int = 32, seed: int = 0, cell: Cell = "lstm"
) -> Checkpoint:
    """An untrained checkpoint with random weights large enough that different texts get different scores."""
    torch.manual_seed(seed)
    tokenizer = train_vocabulary(build_tokenizer(), TEXTS, vocab_size=600, min_frequency=1)
    architecture = Architecture(vocab_size=tokenizer.get_vocab_size(), embedding_dim=8, hidden_size=6, cell=cell)
    network = RecurrentClassifier(architecture, len(labels))
    with torch.no_grad():
        network.embedding.normal_()
        network.head.weight.normal_()
    config = CheckpointConfig(labels=labels, max_tokens=max_tokens, temperature=1.5, architecture=architecture)
    metrics = {"test": {"accuracy": 0.5}}
    return Checkpoint(config, to_arrays(network.weights()), tokenizer, metrics, "# A tiny checkpoint\n")


def write_encoder(directory: Path, *, maps: Mapping[str, tuple[int, int]], seed: int = 0) -> None:
    """The folder of a pre-training with random weights: for each encoder that it imitates its width, and texts."""
    made = make_checkpoint(seed=seed)
    shape = made.config.architecture
    weights: dict[str, Any] = {name: weight for name, weight in made.weights.items() if not name.startswith("head")}
    weights["bias"] = torch.zeros(shape.vocab_size).numpy()  # of the softmax, which vectors do without
    for place, (width, _) in enumerate(maps.values()):
        weights[f"vectors.{place}.weight"] = torch.randn(width, shape.pooled_size).numpy()
        weights[f"vectors.{place}.bias"] = torch.randn(width).numpy()
    config = {
        "format_version": 1,
        "kind": "language_model",
        "vocab_size": shape.vocab_size,
        "tokenizer": {"vocab_size": 600, "max_tokens": 32},
        "architecture": {"embedding_dim": 8, "hidden_size": 6, "num_layers": 1, "bidirectional": True, "cell": "lstm"},
        "vectors": [{"encoder": name, "width": width} for name, (width, _) in maps.items()],
    }
    imitated = [{"encoder": name, "texts": texts} for name, (_, texts) in maps.items()]
    contents = {
        CONFIG: as_json(config),
        WEIGHTS: save_arrays(weights),
        TOKENIZER: made.tokenizer.to_str().encode(),
        METRICS: as_json({"imitated": imitated}),
        CARD: b"# A tiny encoder\n",
    }
    write_folder(directory, contents)


@pytest.fixture(scope="session")
def tiny_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of a pre-training, not to be changed: vectors `english` of 5 numbers and, of more texts, `both` of 4."""
    directory = tmp_path_factory.mktemp("encoders") / "tiny"
    write_encoder(directory, maps={"english": (5, 100), "both": (4, 300)})
    return directory


@pytest.fixture(scope="session")
def tiny_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint folder on disk, not to be changed: labels negative and positive, at most 32 tokens."""
    directory = tmp_path_factory.mktemp("checkpoints") / "tiny"
    save_checkpoint(directory, make_checkpoint())
    return directory

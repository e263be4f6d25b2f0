"""The exported folder: the programs of its README run as they stand, and give what the checkpoint gives."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model.checkpoint import save_checkpoint
from model.classifier import Classifier
from model.errors import CheckpointError, ConfigError
from model.export import folder as folders
from model.export.folder import export_onnx
from model.folder import read_folder
from tests.model.export.test_network import made

ROOT = Path(__file__).resolve().parents[3]
SHIPPED = ROOT / "checkpoints" / "sentiment"
MODULES = ROOT / "build" / "clients" / "node_modules"
"""What `make clients` fetched."""

FILES = ("model.onnx", "tokenizer.json", "config.json", "README.md")
TEXTS = [
    "A good and charming film.",
    "很好看的电影",
    "难看的电影, not worth it!!!!!",
    "x",
    " \n ",
    "don't   miss it, 10/10 😀",
    "good " * 300 + "bad " * 600,
    "bad film. " * 2000 + "good " * 400,
]
"""English, Chinese and both; one token and none; more tokens than the model takes, and more characters."""


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped checkpoint in ONNX's form."""
    folder = tmp_path_factory.mktemp("export") / "sentiment"
    export_onnx(SHIPPED, folder)
    return folder


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    """The shipped checkpoint in PyTorch."""
    return Classifier.load(SHIPPED, device="cpu", dtype="float32")


def program(folder: Path, language: str) -> str:
    found = re.search(
        rf"^```{language}\n(.*?)^```$", (folder / "README.md").read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
    assert found is not None
    return found[1]


def run_python(folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.chdir(folder)
    scope: dict[str, Any] = {}
    exec(compile(program(folder, "python"), "README.md", "exec"), scope)  # noqa: S102 - our own README
    return scope


def test_the_python_of_the_readme(
    exported: Path, classifier: Classifier, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    scope = run_python(exported, monkeypatch)
    expected = classifier.predict(TEXTS)
    np.testing.assert_allclose(scope["classify"](TEXTS), expected, rtol=0, atol=1e-5)
    assert len({row.argmax() for row in expected}) == len(classifier.labels)
    printed = [json.loads(line.replace("'", '"')) for line in capsys.readouterr().out.splitlines()]
    assert [max(scores, key=scores.get) for scores in printed] == ["positive", "positive"]


def test_the_javascript_of_the_readme(tmp_path: Path) -> None:
    """A network with operators that the shipped checkpoint, which the test of the page runs, does not have."""
    node = shutil.which("node")
    if node is None or not (MODULES / "onnxruntime-web").is_dir():
        pytest.skip("no Node or no onnxruntime-web here: `make clients`")
    exported = tmp_path / "exported"
    shape = {"cell": "layernorm", "conv_width": 3, "pooling": "attention", "ngram_buckets": 50}
    save_checkpoint(tmp_path / "checkpoint", made(shape, temperature=1.7, chinese_temperature=0.4))
    export_onnx(tmp_path / "checkpoint", exported)
    (exported / "node_modules").symlink_to(MODULES)
    (exported / "classify.mjs").write_text(program(exported, "js"), "utf-8")
    run = subprocess.run([node, "classify.mjs"], cwd=exported, capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 0, run.stderr
    classifier = Classifier.load(tmp_path / "checkpoint", device="cpu", dtype="float32")
    (expected,) = classifier.predict(["A good and charming film."])
    answer = dict(zip(classifier.labels, expected.tolist(), strict=True))
    assert json.loads(run.stdout) == pytest.approx(answer, abs=1e-5)


def test_the_folder_is_whole_and_its_tokenizer_is_the_checkpoints(exported: Path) -> None:
    contents = read_folder(exported, FILES)
    assert {path.name for path in exported.iterdir()} == contents.keys()
    assert contents["tokenizer.json"] == (SHIPPED / "tokenizer.json").read_bytes()
    described = json.loads(contents["config.json"])
    assert described["labels"] == ["negative", "neutral", "positive"]
    assert (described["max_tokens"], described["max_characters"]) == (512, 512 * 32)
    assert described["thresholds"] is None


@pytest.mark.parametrize(("thresholds", "written"), [((0.25, 0.75), [0.25, 0.75]), (None, [0.5, 0.5])])
def test_a_multi_label_checkpoint_has_its_thresholds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, thresholds: tuple[float, ...] | None, written: list[float]
) -> None:
    save_checkpoint(tmp_path / "checkpoint", made({}, num_labels=2, task="multi_label", thresholds=thresholds))
    for _ in range(2):  # the second takes the place of the first
        export_onnx(tmp_path / "checkpoint", tmp_path / "exported")
    assert json.loads((tmp_path / "exported" / "config.json").read_text("utf-8"))["thresholds"] == written
    found = run_python(tmp_path / "exported", monkeypatch)["classify"](TEXTS)
    expected = Classifier.load(tmp_path / "checkpoint", device="cpu", dtype="float32").predict(TEXTS)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


def test_no_other_folder_is_replaced(tiny_checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"has no model\.onnx; it is left as it is"):
        export_onnx(tiny_checkpoint, tiny_checkpoint)
    assert (tiny_checkpoint / "model.safetensors").is_file()
    (tmp_path / "file").write_text("kept")
    with pytest.raises(CheckpointError, match="left as it is"):
        export_onnx(tiny_checkpoint, tmp_path / "file")
    with pytest.raises(CheckpointError, match="there is no such folder"):
        export_onnx(tmp_path / "none", tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_weights_that_one_file_cannot_hold_are_told(
    tiny_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folders, "MAX_BYTES", 1000)
    with pytest.raises(ConfigError, match=r"its weights take [\d,]+ bytes, and a model\.onnx holds at most 1,000"):
        export_onnx(tiny_checkpoint, tmp_path / "out")

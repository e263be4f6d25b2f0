"""The report after `train`, and of any checkpoint and file."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from model.folder import version_at
from tests.training.cli.commands import call, metrics_of
from tests.training.conftest import TINY
from training.reporting import doubts


@pytest.fixture(autouse=True)
def _no_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the shipped encoder, which takes a second to load."""
    monkeypatch.setattr(doubts, "ENCODER", Path("nowhere"))


def read(folder: Path) -> tuple[str, dict[str, Any]]:
    page = folder.with_name(f"{folder.name}.report.html").read_text(encoding="utf-8")
    return page, json.loads(folder.with_name(f"{folder.name}.report.json").read_bytes())


@pytest.fixture(scope="module")
def shops(reviews: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The training file with a further column, and a row that is a script."""
    lines = (reviews / "train.csv").read_text(encoding="utf-8").splitlines()
    file = tmp_path_factory.mktemp("shops") / "train.csv"
    rows = [f"{line},{'north' if i % 4 else 'south'}" for i, line in enumerate(lines[1:])]
    rows += [f"<script>alert({i})</script> awful,{'good' if i < 3 else 'bad'},south" for i in range(12)]
    file.write_text("\n".join(["text,label,shop", *rows]), encoding="utf-8")
    return file


def test_train_writes_a_report_beside_the_checkpoint(shops: Path, reviews: Path, tmp_path: Path) -> None:
    output = tmp_path / "m"
    result = call(
        "train", "--train", shops, "--output", output, *TINY, "--set", "report=true", "--slice-column", "shop"
    )
    assert result.exit_code == 0, result.output
    assert f"report: {output}.report.html" in result.output
    page, report = read(output)
    assert "<script" not in page
    assert "&lt;script&gt;alert(" in page
    assert report["version"] == version_at(output)
    assert {one["by"] for one in report["held_out"][0]["slices"]} >= {"length", "shop"}
    metrics = metrics_of(output)
    assert report["held_out"][0]["evaluation"] == metrics["evaluations"]["validation"]
    assert report["history"] == metrics["effort"]["history"]
    assert report["best_epoch"] == metrics["effort"]["best_epoch"]
    assert report["serve"] == f"python -m app serve --model m={output}"
    assert report["baseline"]["compared"][0]["accuracy"] > 0.7
    assert "<script>" in json.dumps(report["label_errors"]["texts"][:12]), "three are called good and say awful"
    assert sorted(path.name for path in output.iterdir()) == [
        "README.md", "SHA256SUMS", "config.json", "metrics.json", "model.safetensors", "tokenizer.json",
    ]  # fmt: skip


def test_no_report_and_a_missing_column(reviews: Path, shops: Path, tmp_path: Path) -> None:
    without = [word for word in TINY if word != "report=false"][:-1]
    settings = (*without, "--set", "loop.epochs=1")
    result = call("train", "--train", shops, "--output", tmp_path / "m", *settings, "--no-report")
    assert result.exit_code == 0, result.output
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m", "m.train_config.toml"]
    assert "--no-report" in metrics_of(tmp_path / "m")["command"]
    files = ("--train", shops, "--test", reviews / "test.csv")
    result = call("train", *files, "--output", tmp_path / "n", *TINY, "--slice-column", "shop")
    assert (result.exit_code, "test.csv: no column 'shop'" in result.output) == (2, True)
    assert not (tmp_path / "n.run").exists(), "it is told before anything is trained"


def test_report_measures_any_checkpoint_on_any_file(
    trained: tuple[Path, Result], reviews: Path, tmp_path: Path
) -> None:
    page = tmp_path / "page.html"
    result = call("report", trained[0], reviews / "test.csv", "--output", page)
    assert result.exit_code == 0, result.output
    report = json.loads((tmp_path / "page.json").read_bytes())
    assert report["held_out"][0]["evaluation"] == metrics_of(trained[0])["evaluations"]["test"]
    assert report["baseline"] is None
    assert "No training texts were given" in report["left_out"]["baseline"]
    whole = call("report", trained[0], reviews / "test.csv", "--output", page, "--train", reviews / "train.csv")
    assert whole.exit_code == 0, whole.output
    report = json.loads((tmp_path / "page.json").read_bytes())
    assert report["label_errors"]["of"] == report["baseline"]["of"] > 100
    shutil.copytree(trained[0], tmp_path / "m")
    (tmp_path / "m.report.html").write_text("of the training")
    beside = call("report", tmp_path / "m", reviews / "test.csv")
    assert f"wrote {tmp_path}/m.test.report.html and {tmp_path}/m.test.report.json" in beside.output
    assert (tmp_path / "m.report.html").read_text() == "of the training"
    lists = call("report", trained[0], reviews / "lists.jsonl", "--output", page)
    assert (lists.exit_code, "lists of labels" in lists.output) == (2, True)

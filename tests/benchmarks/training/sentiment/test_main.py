"""The command prints the tables, and writes JSON and card."""

import shutil
from pathlib import Path

from click.testing import CliRunner, Result

from benchmarks.training.sentiment.__main__ import main
from benchmarks.training.sentiment.figures import SentimentFigures
from model.checkpoint import load_checkpoint


def call(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments], catch_exceptions=False)


def test_prints_tables_and_writes_json_and_card(data: Path, three: Path, tmp_path: Path) -> None:
    folder, file = tmp_path / "sentiment", tmp_path / "figures.json"
    shutil.copytree(three, folder)
    results = [call(folder, "--data", data, "--card", "--json", file) for _ in range(2)]
    assert [result.exit_code for result in results] == [0, 0]
    after, found = load_checkpoint(folder), SentimentFigures.model_validate_json(file.read_bytes())
    assert found.version == after.version != load_checkpoint(three).version
    assert f"version `{after.version}`" in results[-1].output
    assert after.card.count("## Public sets") == after.card.count("## Robustness") == 1
    assert found.sets["sst5"].baseline is not None
    assert found.sets["sst5"].baseline.macro_f1 == 1
    assert found.sets["cr"].baseline is None
    assert any(capability.name == "zh/neutral facts" for capability in found.capabilities)


def test_nothing_is_written_that_was_not_asked_for(data: Path, tiny_checkpoint: Path) -> None:
    before = load_checkpoint(tiny_checkpoint).version
    result = call(tiny_checkpoint, "--data", data, "--no-baselines")
    assert "has no label neutral" in " ".join(result.output.split())
    assert load_checkpoint(tiny_checkpoint).version == before

import json
from pathlib import Path

import pytest

from tests.training.cli.commands import call


def test_a_checkpoint_is_written_in_onnxs_form(tiny_checkpoint: Path, tmp_path: Path) -> None:
    result = call("export", tiny_checkpoint, "--onnx", "--output", tmp_path / "exported")
    assert result.exit_code == 0, result.output
    for name in ("model.onnx", "tokenizer.json", "config.json", "README.md"):
        size = (tmp_path / "exported" / name).stat().st_size
        assert f"{tmp_path / 'exported' / name}: {size:,} bytes" in result.output
    assert json.loads((tmp_path / "exported" / "config.json").read_bytes())["labels"] == ["negative", "positive"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{tiny}", "--onnx", "--output", "{tiny}"], "has no model.onnx; it is left as it is"),
        (["{none}", "--onnx", "--output", "{out}"], "there is no such folder"),
        (["{tiny}", "--output", "{out}"], "Missing option '--onnx'"),
    ],
)
def test_wrong_calls_are_told(tiny_checkpoint: Path, tmp_path: Path, arguments: list[str], message: str) -> None:
    paths = {"tiny": tiny_checkpoint, "none": tmp_path / "none", "out": tmp_path / "out"}
    result = call("export", *(argument.format(**paths) for argument in arguments))
    assert result.exit_code == 2
    assert message in result.output
    assert not (tmp_path / "out").exists()

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from examples.gates import Traced, draw, main, telling_unit, trace_all
from model.checkpoint import load_checkpoint


def test_traces_have_a_step_for_each_token_and_add_up(tiny_checkpoint: Path) -> None:
    text = "a good film 很好看"
    (traced,) = trace_all(load_checkpoint(tiny_checkpoint), [text])
    assert "".join(traced.tokens) == text.replace(" ", "")
    states = traced.states_TH
    before_TH = np.concatenate([np.zeros((1, 6)), states["cell"][:-1]])
    cell_TH = states["forget"] * before_TH + states["input"] * states["candidate"]
    np.testing.assert_allclose(states["cell"], cell_TH, atol=1e-6)
    assert len(states["cell"]) == len(traced.tokens)


def test_the_telling_unit_is_the_one_that_parts_the_ends() -> None:
    first, last = (
        Traced("x", 1.0, ["a", "b"], {"cell": np.array(cell)})
        for cell in ([[0, 9, 0], [0, 1, 0.5]], [[0, 0, 0], [0, 0, -2.0]])
    )
    assert telling_unit([first, last]) == 2


def test_the_program_shows_both_texts(tiny_checkpoint: Path, tmp_path: Path) -> None:
    options = ["--checkpoint", str(tiny_checkpoint), "--output", str(tmp_path)]
    result = CliRunner().invoke(main, ["a good film", "a $bad$ film", *options], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert result.output.count("cell state of unit") == 2
    assert (tmp_path / "gates.png").stat().st_size > 10_000


@pytest.mark.parametrize(
    ("texts", "checkpoint", "message"),
    [(["a film", " "], None, "without tokens"), (["a"], "none", "there is no such folder")],
)
def test_wrong_calls_are_told(
    tiny_checkpoint: Path, tmp_path: Path, texts: list[str], checkpoint: str | None, message: str
) -> None:
    folder = tiny_checkpoint if checkpoint is None else tmp_path / checkpoint
    result = CliRunner().invoke(main, [*texts, "--checkpoint", str(folder), "--output", str(tmp_path)])
    assert result.exit_code == 2
    assert message in result.output


def test_a_column_a_text(tiny_checkpoint: Path) -> None:
    traced = trace_all(load_checkpoint(tiny_checkpoint), ["a film", "a good film", "a bad film"])
    assert len(draw(traced).axes) == 9

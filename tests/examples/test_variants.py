import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from examples.variants import CHANGES, main, num_parameters, shape_of
from model.cell import num_parameters as lstm_parameters


def test_parameters_are_those_of_the_formula() -> None:
    assert num_parameters(shape_of("LSTM")) == lstm_parameters(3, 24) == 2688
    assert num_parameters(shape_of("LSTM, both directions")) == 2 * 2688
    assert num_parameters(shape_of("two LSTM layers")) == 2688 + lstm_parameters(24, 24)
    assert num_parameters(shape_of("GRU")) == 2688 * 3 // 4
    assert num_parameters(shape_of("plain RNN")) == 2688 // 4
    assert num_parameters(shape_of("peephole LSTM")) == 2688 + 3 * 24
    assert num_parameters(shape_of("no recurrence")) == 0


def test_every_variant_runs_and_is_told(tmp_path: Path) -> None:
    arguments = ["--length", "10", "--steps", "1", "--seeds", "1", "--output", str(tmp_path)]
    result = CliRunner().invoke(main, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    report = json.loads((tmp_path / "variants.json").read_text())
    assert list(report["rows"]) == list(CHANGES)
    for title, row in report["rows"].items():
        assert row["parameters"] == num_parameters(shape_of(title))
        assert row["accuracies"] == [pytest.approx(0.25, abs=0.25)]
    assert (tmp_path / "variants.png").stat().st_size > 10_000

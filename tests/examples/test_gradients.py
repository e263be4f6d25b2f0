from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from examples.gradients import FLOOR, SETTINGS, build, draw, gradient_norms, main
from model.recurrent import FusedRnn


def test_without_a_nonlinearity_the_norm_is_that_of_the_powers_of_the_recurrent_matrix() -> None:
    layer = FusedRnn(3, 3).double()
    with torch.no_grad():
        layer.weight_ih.mul_(1e-6)  # tanh of next to nothing is linear
        layer.weight_hh.mul_(0.9)  # orthogonal before
    np.testing.assert_allclose(gradient_norms(layer, 20), 0.9 ** np.arange(21), rtol=0.5)


def test_a_plain_network_forgets_and_an_open_forget_gate_keeps() -> None:
    norms = {setting.title: gradient_norms(build(setting), 100) for setting in SETTINGS}
    assert all(curve[0] == pytest.approx(1) for curve in norms.values())
    assert norms["plain RNN"][100] < 1e-15
    assert norms["plain RNN"][100] < norms["LSTM, forget bias 1"][100] < 1e-6
    assert norms["LSTM, forget bias 3"][100] > 1e-3


def test_a_curve_ends_where_it_leaves_the_picture() -> None:
    (axes,) = draw({"gone": np.array([1.0, 0.1, FLOOR / 2, 1.0]), "stays": np.ones(4)}).axes
    assert [len(np.asarray(line.get_xdata())) for line in axes.lines] == [2, 4]


def test_the_program_prints_a_table_and_draws(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["--output", str(tmp_path)], catch_exceptions=False)
    assert [line[:28].strip() for line in result.output.splitlines()[1:-1]] == [setting.title for setting in SETTINGS]
    assert (tmp_path / "gradients.png").stat().st_size > 10_000

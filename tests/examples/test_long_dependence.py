from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from examples.long_dependence import NOISE, PULSE, bag_of_steps, draw_series, main, run


def test_the_network_sees_an_order_that_a_bag_of_steps_does_not() -> None:
    outcome = run(length=50, steps=100, seed=0)
    assert outcome.accuracy["network"] > 0.88
    assert outcome.accuracy["bag of steps"] < 0.80  # it knows which pulses there were: three of four
    assert outcome.accuracy["commonest kind"] < 0.35
    assert outcome.confusion.sum() == 1000
    assert np.trace(outcome.confusion) / 1000 == pytest.approx(outcome.accuracy["network"])


def test_the_kind_is_where_the_two_pulses_are_and_nothing_else() -> None:
    x_TNE, kinds_N = draw_series(200, 50, seed=3)
    clear_TNE = np.asarray(x_TNE > (PULSE + NOISE) / 2)
    first_N = clear_TNE[:10, :, 1].max(axis=0).astype(int)
    second_N = clear_TNE[30:40, :, 1].max(axis=0).astype(int)
    assert np.mean(kinds_N == 2 * first_N + second_N) > 0.98
    assert set(kinds_N.tolist()) == {0, 1, 2, 3}
    assert clear_TNE[10:30].mean() < 0.001


def test_a_bag_of_steps_does_not_change_with_the_order_of_all_but_the_last() -> None:
    x_TNE, _ = draw_series(5, 20, seed=0)
    shuffled = np.concatenate([x_TNE[-2::-1], x_TNE[-1:]])
    np.testing.assert_allclose(bag_of_steps(x_TNE), bag_of_steps(shuffled), atol=1e-6)


def test_the_program_prints_its_yardsticks_and_draws(tmp_path: Path) -> None:
    arguments = ["--length", "10", "--steps", "2", "--output", str(tmp_path / "new")]
    result = CliRunner().invoke(main, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    assert [line.split("  ")[0] for line in result.output.splitlines()[1:4]] == [
        "network",
        "bag of steps",
        "commonest kind",
    ]
    assert (tmp_path / "new" / "long_dependence.png").stat().st_size > 10_000

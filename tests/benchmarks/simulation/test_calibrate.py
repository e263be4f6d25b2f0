import random

import pytest

from benchmarks.simulation.calibrate import CELLS, Cell, fit_costs, spread_of


def _cell(texts: int, connections: int, turn_s: float, latencies: list[float]) -> Cell:
    return Cell(texts, connections, turn_s, 1 / turn_s, latencies)


def test_costs_are_found_in_turns_made_of_them() -> None:
    cells = [
        _cell(texts, connections, 5e-5 + connections * 7e-5 + connections * texts * 3e-5, [])
        for texts, counts in CELLS.items()
        for connections in counts
    ]
    assert fit_costs(cells) == pytest.approx((5e-5, 7e-5, 3e-5))


def test_no_cost_is_negative() -> None:
    costs = fit_costs([_cell(1, 1, 2e-4, []), _cell(1, 4, 2.1e-4, []), _cell(64, 1, 9e-4, [])])
    assert min(costs) >= 0


def test_what_a_latency_has_beyond_the_median_is_the_turns() -> None:
    rng = random.Random(0)
    latencies = [3e-4 + rng.uniform(-1e-5, 1e-5) for _ in range(9950)] + [3e-4 + 2e-2] * 50
    spread = spread_of(_cell(1, 1, 1e-4, latencies))
    assert spread.usual[len(spread.usual) // 2] == pytest.approx(1, abs=0.02)
    assert spread.usual[0] == pytest.approx(0.9, abs=0.01)
    assert spread.rare[-1] == pytest.approx(201, rel=0.01)
    assert sum(ratio > 100 for ratio in spread.rare) / len(spread.rare) == pytest.approx(0.5, abs=0.03)

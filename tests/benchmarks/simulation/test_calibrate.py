import random

import pytest

from benchmarks.simulation.calibrate import CELLS, Cell, delay_of, fit_costs, spread_of, waking_of
from benchmarks.simulation.service_times import GeneratorCosts


def _cell(texts: int, connections: int, request_s: float, *, batches: float = 1.0, handed_over: bool = False) -> Cell:
    return Cell(texts, connections, request_s, batches, handed_over, 1 / request_s, [])


def test_costs_are_found_in_requests_made_of_them() -> None:
    cells = [
        _cell(
            texts,
            connections,
            (5e-5 + (texts > 64) * 2e-5) / connections + 7e-5 + texts * 3e-5,
            batches=1 / connections,
            handed_over=texts > 64,
        )
        for texts, counts in CELLS.items()
        for connections in counts
    ]
    assert fit_costs(cells) == pytest.approx((5e-5, 7e-5, 3e-5, 2e-5))


def test_no_cost_is_negative() -> None:
    costs = fit_costs([_cell(1, 1, 2e-4), _cell(1, 4, 2.1e-4, batches=0.25), _cell(64, 1, 9e-4)])
    assert min(costs) >= 0


def test_what_a_latency_has_beyond_the_median_is_the_turns() -> None:
    rng = random.Random(0)
    latencies = [3e-4 + rng.uniform(-1e-5, 1e-5) for _ in range(9950)] + [3e-4 + 9e-4] * 50
    spread = spread_of([*latencies, 3e-4 + 2e-3], 1e-4)  # the last is longer by a pause of the machine
    assert spread.usual[len(spread.usual) // 2] == pytest.approx(1, abs=0.02)
    assert spread.usual[0] == pytest.approx(0.9, abs=0.01)
    assert spread.rare[-1] == pytest.approx(10, rel=0.01)
    assert sum(ratio > 5 for ratio in spread.rare) / len(spread.rare) == pytest.approx(0.5, abs=0.03)


def test_waking_is_the_difference_at_each_quantile() -> None:
    waking = waking_of([2e-3, 4e-3, 3e-3], [1e-3, 1e-3, 1e-3], texts=1, idle_s=2e-3)
    assert (waking.seconds[0], waking.seconds[-1]) == pytest.approx((1e-3, 3e-3), rel=0.01)


def test_the_way_costs_neither_the_server_nor_its_client() -> None:
    alone = Cell(1, 1, 2e-4, 1.0, False, 1.0, [2.5e-4, 2.6e-4, 9e-4])
    assert delay_of(alone, GeneratorCosts(send_s=2e-5, read_s=1e-5, look_s=1.0)) == pytest.approx(3e-5)

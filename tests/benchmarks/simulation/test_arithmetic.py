from itertools import pairwise

import pytest
from click.testing import CliRunner

from benchmarks.simulation.arithmetic import Plan, blocks, limits, main, plans
from benchmarks.simulation.assumptions import Assumptions

ROUND = Assumptions(engine_core=10_000, bulk=0.5, requests_core=1_000, busy_bulk=0.8, busy_online=0.5, cores=10)


def test_machines_and_cost_of_a_million_texts() -> None:
    plan = Plan(rate=3_600, core=100, busy=0.5)
    assert plan.cores == 72
    assert plan.machines(10) == 8
    # 80 cores for an hour at 0.04, which are 3,600 · 3,600 texts.
    assert plan.cost(ROUND) == pytest.approx(80 * 0.04 / 12.96)


def test_a_billion_an_hour_and_a_zone_to_spare() -> None:
    bulk, online = plans(ROUND)
    assert bulk.cores == pytest.approx(1e9 / 3600 / (10_000 * 0.5 * 0.8))
    assert online.machines(10) == 30  # 200 cores, of which a third may be lost


def test_the_scarcest_part_comes_first() -> None:
    found = limits(ROUND)
    first = {name: parts[0] for name, parts in found.items()}
    assert first == {"bulk": ("engine and files, all cores", 50_000), "online": ("HTTP and engine, all cores", 10_000)}
    assert all(part[1] <= after[1] for parts in found.values() for part, after in pairwise(parts))


def test_the_command_prints_the_tables_and_takes_every_number() -> None:
    plain = CliRunner().invoke(main, [])
    assert plain.exit_code == 0
    assert all(block in plain.output for block in blocks(Assumptions()).values())
    dearer = CliRunner().invoke(main, ["--price-core-hour", "0.08", "--prices-of", "2026-12-01"])
    assert "prices: 2026-12-01" in dearer.output
    assert "| `--price-core-hour` | 0.08 |" in dearer.output


@pytest.mark.parametrize(("option", "value"), [("--cores", "0"), ("--busy-online", "1"), ("--zones", "1")])
def test_a_number_that_cannot_be_is_refused_by_its_name(option: str, value: str) -> None:
    result = CliRunner().invoke(main, [option, value])
    assert result.exit_code == 1
    assert option in result.output

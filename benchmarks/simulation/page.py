"""Blocks of docs/scaling.md that the simulation and the arithmetic write."""

from pathlib import Path

from benchmarks.shown.text import filled
from benchmarks.simulation import arithmetic
from benchmarks.simulation.assumptions import Assumptions
from benchmarks.simulation.report import (
    SCENARIO_ROWS,
    VALIDATION,
    costs_sentence,
    read_points,
    read_rows,
    scenario_table,
    validation_table,
)
from benchmarks.simulation.scenarios import SCENARIOS
from benchmarks.simulation.service_times import ServiceTimes

NOT_YET = "Not measured on a quiet machine yet."
PAGE = Path(__file__).resolve().parents[2] / "docs" / "scaling.md"


def blocks() -> dict[str, str]:
    """Text of each block of the page, by the name in its markers, from the figures in benchmarks/results."""
    found = {**arithmetic.blocks(Assumptions()), "costs": costs_sentence(ServiceTimes.read().calibration)}
    found["validation"] = validation_table(read_points()) if VALIDATION.exists() else NOT_YET
    rows = read_rows() if SCENARIO_ROWS.exists() else []
    for name in SCENARIOS:
        of_name = [row for row in rows if row.scenario == name]
        found[f"scenario-{name}"] = scenario_table(of_name) if of_name else NOT_YET
    return found


def renew() -> list[str]:
    """Fills the blocks of the page anew; returns its name if it changed."""
    before = PAGE.read_text("utf-8")
    after = filled(before, blocks())
    PAGE.write_text(after, "utf-8")
    return [PAGE.name] if after != before else []

import pytest

from benchmarks.simulation.core import Machine
from benchmarks.simulation.outcome import Outcome
from benchmarks.simulation.predict import Point
from benchmarks.simulation.report import costs_sentence, row_of, scenario_table, validation_table
from benchmarks.simulation.service_times import GeneratorCosts
from benchmarks.simulation.worker import Status
from tests.benchmarks.simulation.test_service_times import make_calibration


def _outcome(refused: int) -> Outcome:
    outcome = Outcome(tries=12, machine_hours=0.5)
    for number in range(10):
        outcome.add(number, Status.REFUSED if number < refused else Status.ANSWERED, 0.1)
    return outcome


def test_a_row_has_the_median_of_the_seeds_and_their_range() -> None:
    row = row_of("zone", "all at once", [_outcome(1), _outcome(2), _outcome(5)], event_s=0.0, scale=30.0)
    assert row.refused == pytest.approx((20, 10, 50))
    assert row.recovery_s == pytest.approx((60, 30, 150))
    line = scenario_table([row]).splitlines()[2]
    assert line.startswith("| all at once | 80.0 (50.0 to 90.0) | 20.0 (10.0 to 50.0) | 0.0 | 100.0 | 100 | 1.20 |")


def test_what_misses_its_bar_stands_out() -> None:
    point = Point(
        workers=1,
        texts=1,
        load=0.7,
        offered=100,
        measured=100,
        predicted=99,
        measured_p99_s=0.010,
        predicted_p99_s=0.014,
        measured_range=(0.008, 0.012),
        predicted_range=(0.013, 0.015),
    )
    line = validation_table([point]).splitlines()[2]
    assert "| 70% | 100 | 99 | -1% |" in line
    assert line.endswith("| 10.0 (8.0 to 12.0) | 14.0 (13.0 to 15.0) | **+40%** |")


def test_saturation_has_no_latencies() -> None:
    point = Point(workers=2, texts=64, load=None, offered=100, measured=100, predicted=130)
    assert validation_table([point]).splitlines()[2].endswith("| saturation | 100 | 130 | **+30%** | | | | | |")


def test_a_busy_machine_is_told() -> None:
    assert "load average before: 0.1" in costs_sentence(make_calibration()).replace("\n", " ")


def test_costs_of_the_generator_and_pauses_are_told_where_they_were_measured() -> None:
    assert "stands still" not in costs_sentence(make_calibration())
    measured = make_calibration(
        generator={1: GeneratorCosts(send_s=2e-5, read_s=1e-5)}, core=Machine(pauses_per_s=0.1, pauses=[2e-3, 5e-3])
    )
    told = costs_sentence(measured).replace("\n", " ")
    assert "takes 30 µs for a request" in told
    assert "6 times a minute, 5 ms at most" in told

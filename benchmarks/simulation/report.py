"""Tables of validation and scenarios, and the blocks of docs/scaling.md."""

import statistics
from collections.abc import Sequence
from pathlib import Path
from textwrap import fill

from pydantic import TypeAdapter

from benchmarks.simulation.core import Frozen
from benchmarks.simulation.outcome import Outcome
from benchmarks.simulation.predict import Point
from benchmarks.simulation.service_times import CALIBRATION, Calibration
from benchmarks.simulation.worker import Status

VALIDATION = CALIBRATION.with_name("simulation-validation.json")
SCENARIO_ROWS = CALIBRATION.with_name("simulation-scenarios.json")
SCENARIO_HEAD = (
    "variant",
    "answered, %",
    "refused, %",
    "lost, %",
    "p50, ms",
    "p99, ms",
    "tries a request",
    "worse than 99% for, s",
    "machine-hours",
)
VALIDATION_HEAD = (
    "workers",
    "texts a request",
    "load",
    "answers/s, measured",
    "predicted",
    "off by",
    "p50, ms, measured",
    "predicted",
    "p99, ms, measured (parts of the run)",
    "predicted (seeds)",
    "off by",
)

MOST_RATE, MOST_P99 = 0.15, 0.30
"""Bars: the prediction over the measurement, less one."""

Value = tuple[float, float, float]
"""Median, least and most of the seeds."""


class Row(Frozen):
    """One variant of a scenario over some seeds.

    Attributes:
        answered, refused, lost: percent of the requests, by how they ended after all tries; lost are those whose
            connection broke, whose client gave up or whose deadline passed.
        p50_ms, p99_ms: of answered requests, from when they were due.
        tries: for each request.
        recovery_s: from the event to the last second in which fewer than 99% were answered.
        machine_hours: of all replicas.
    """

    scenario: str
    variant: str
    seeds: int
    answered: Value
    refused: Value
    lost: Value
    p50_ms: Value
    p99_ms: Value
    tries: Value
    recovery_s: Value
    machine_hours: Value


POINTS = TypeAdapter(list[Point])
ROWS = TypeAdapter(list[Row])


def row_of(scenario: str, variant: str, outcomes: Sequence[Outcome], event_s: float, scale: float) -> Row:
    """Figures of the runs of one variant, one for each seed; `scale` seconds stand for a simulated one."""

    def value(found: Sequence[float]) -> Value:
        return statistics.median(found), min(found), max(found)

    lost = (Status.LOST, Status.LATE, Status.ABANDONED)
    return Row(
        scenario=scenario,
        variant=variant,
        seeds=len(outcomes),
        answered=value([100 * outcome.share(Status.ANSWERED) for outcome in outcomes]),
        refused=value([100 * outcome.share(Status.REFUSED) for outcome in outcomes]),
        lost=value([100 * sum(map(outcome.share, lost)) for outcome in outcomes]),
        p50_ms=value([1e3 * outcome.percentile_s(50) for outcome in outcomes]),
        p99_ms=value([1e3 * outcome.percentile_s(99) for outcome in outcomes]),
        tries=value([outcome.amplification for outcome in outcomes]),
        recovery_s=value([scale * outcome.recovery_s(event_s) for outcome in outcomes]),
        machine_hours=value([outcome.machine_hours for outcome in outcomes]),
    )


def _told(value: Value, digits: int) -> str:
    """A median with its range, which is left out where it cannot be seen."""
    middle, least, most = (f"{number:,.{digits}f}" for number in value)
    return middle if least == most else f"{middle} ({least} to {most})"


def scenario_table(rows: Sequence[Row]) -> str:
    """A table of the variants of one scenario."""
    lines = [
        f"| {' | '.join(SCENARIO_HEAD)} |",
        "| --- |" + " ---: |" * 8,
    ]
    for row in rows:
        cells = [_told(value, 1) for value in (row.answered, row.refused, row.lost, row.p50_ms)]
        cells += [_told(row.p99_ms, 0), _told(row.tries, 2), _told(row.recovery_s, 0), _told(row.machine_hours, 2)]
        lines.append(f"| {row.variant} | {' | '.join(cells)} |")
    return "\n".join(lines)


def validation_table(points: Sequence[Point]) -> str:
    """A table of prediction against measurement; what misses its bar is marked."""
    lines = [
        f"| {' | '.join(VALIDATION_HEAD)} |",
        "| ---: | ---: | --- |" + " ---: |" * 8,
    ]
    for point in points:
        load = "saturation" if point.load is None else f"{point.load:.0%}"
        cells = [f"{point.workers}", f"{point.texts}", load, f"{point.measured:,.0f}", f"{point.predicted:,.0f}"]
        cells.append(_off(point.predicted / point.measured - 1, MOST_RATE))
        if point.load is None:
            cells += [""] * 5
        else:
            measured, predicted = ([1e3 * s for s in found] for found in (point.measured_range, point.predicted_range))
            cells += [f"{1e3 * point.measured_p50_s:.2f}", f"{1e3 * point.predicted_p50_s:.2f}"]
            cells.append(f"{1e3 * point.measured_p99_s:.1f} ({measured[0]:.1f} to {measured[1]:.1f})")
            cells.append(f"{1e3 * point.predicted_p99_s:.1f} ({predicted[0]:.1f} to {predicted[1]:.1f})")
            cells.append(_off(point.predicted_p99_s / point.measured_p99_s - 1, MOST_P99))
        lines.append(f"| {' | '.join(cells)} |".replace("|  |", "| |").replace("|  |", "| |"))
    return "\n".join(lines)


def _off(error: float, most: float) -> str:
    return f"{error:+.0%}" if abs(error) <= most else f"**{error:+.0%}**"


def costs_sentence(calibration: Calibration) -> str:
    """A sentence of the measured service times."""
    refusals = " and ".join(f"{1e6 * s:.0f} µs ({n} texts)" for n, s in calibration.refusal_s.items())
    sentence = (
        f"Measured on {calibration.date}, {calibration.machine} (load average before: "
        f"{calibration.load_average:.1f}), checkpoint {calibration.version}, texts of "
        f"{calibration.tokens_per_text:.0f} tokens: a batch costs {1e6 * calibration.batch_s:.0f} µs of one core, each "
        f"request in it {1e6 * calibration.request_s:.0f} µs and each text {1e6 * calibration.text_s:.1f} µs; "
        f"a refusal {refusals}; the way there and back {1e6 * calibration.delay_s:.0f} µs."
    )
    if calibration.generator:  # since the note's second part
        costs, core = calibration.generator[min(calibration.generator)], calibration.core
        sentence += (
            f" To hand a batch over to the device thread costs {1e6 * calibration.handed_over_s:.0f} µs more. The load "
            f"generator takes {1e6 * (costs.send_s + costs.read_s):.0f} µs for a request of one text, and "
            f"{1e6 * costs.look_s:.0f} µs for a look without an answer. A core stands still for 1 ms or more "
            f"{60 * core.pauses_per_s:.0f} times a minute, {1e3 * max(core.pauses, default=0.0):.0f} ms at most."
        )
    return fill(sentence, 100, break_long_words=False, break_on_hyphens=False)


def read_points(path: Path = VALIDATION) -> list[Point]:
    """The validation that `measure --write` wrote."""
    return POINTS.validate_json(path.read_bytes())


def read_rows(path: Path = SCENARIO_ROWS) -> list[Row]:
    """The scenarios that `scenarios --write` wrote."""
    return ROWS.validate_json(path.read_bytes())

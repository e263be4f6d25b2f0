"""Figures that the arithmetic is made of: measured ones with where they come from, and examples to be replaced."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any

import click

from benchmarks.simulation.report import read_points
from benchmarks.simulation.service_times import CALIBRATION

README_FIGURES = CALIBRATION.with_name("readme.json")


def _texts_of_a_core(way: str) -> float:
    found: float = json.loads(README_FIGURES.read_text("utf-8"))["sst2"][way]["texts_per_s"]
    return round(found, 1)


def _requests_of_a_core() -> float:
    full = next(point for point in read_points() if point.load is None and point.workers == point.texts == 1)
    return round(full.measured)


def _measured(read: Callable[[], float], source: str) -> Any:
    return field(default_factory=read, metadata={"source": source})


def _given(value: float, source: str) -> Any:
    return field(default=value, metadata={"source": source})


EXAMPLE = "an example: replace it"


@dataclass(frozen=True)
class Assumptions:
    """One number for each line of the arithmetic, in texts, seconds, bytes and units of money."""

    engine_core: float = _measured(
        lambda: _texts_of_a_core("sluice"), "texts/s of one core, tokenising included; benchmarks/results/readme.json"
    )
    tokenising: float = _given(0.083, "its share of that time; benchmarks/results/2026-11-27-engine.md")
    bulk: float = _given(1.0, "texts/s from file to file over the engine's; benchmarks/results/2026-11-28-bulk.md")
    requests_core: float = _measured(
        _requests_of_a_core, "requests/s of one text and one core; benchmarks/results/simulation-validation.json"
    )
    transformer_core: float = _measured(
        lambda: _texts_of_a_core("transformer"),
        "texts/s of one core for the MPNet-base of the README; benchmarks/results/readme.json",
    )
    stored_bytes: float = _given(40, "bytes of a text in Parquet; SST-2's test file")
    sent_bytes: float = _given(240, "bytes of a request of one text, SST-2")
    answer_bytes: float = _given(560, "bytes of its answer, with the headers")
    characters: float = _given(107, "mean characters of a text, SST-2")
    cores: float = _given(8, f"cores of a machine; {EXAMPLE}")
    network: float = _given(1.25e9, f"bytes/s of a machine's network in each direction; {EXAMPLE}")
    storage: float = _given(5e8, f"bytes/s that a machine reads from object storage; {EXAMPLE}")
    balancer: float = _given(150_000, f"requests/s of one balancer that reads HTTP; {EXAMPLE}")
    busy_bulk: float = _given(0.95, f"utilisation of a core in bulk; {EXAMPLE}")
    busy_online: float = _given(0.6, f"utilisation of a core online; {EXAMPLE}")
    zones: float = _given(3, f"zones, of which one may be lost online; {EXAMPLE}")
    price_core_hour: float = _given(0.04, f"price of a core for an hour; {EXAMPLE}")
    price_endpoint_hour: float = _given(1.30, f"price of a hosted transformer on one GPU for an hour; {EXAMPLE}")
    endpoint_texts: float = _given(1_000, f"texts/s of that endpoint; {EXAMPLE}")
    price_unit: float = _given(0.0001, f"price of a unit of a cloud's sentiment interface; {EXAMPLE}")
    unit_characters: float = _given(100, f"characters of a unit; {EXAMPLE}")
    least_units: float = _given(3, f"units that a text costs at least; {EXAMPLE}")

    def __post_init__(self) -> None:
        """Refuses what no service has.

        Raises:
            ValueError: a number that is not above 0, or a share above 1.
        """
        for one in fields(self):
            value = getattr(self, one.name)
            if not value > 0:
                raise ValueError(f"--{one.name.replace('_', '-')} is {value:g}, and must be above 0")
        for name in ("tokenising", "busy_bulk", "busy_online"):
            if getattr(self, name) >= 1:
                raise ValueError(f"--{name.replace('_', '-')} is a share and must be below 1")
        if self.zones < 2:
            raise ValueError("--zones must be 2 or more: one of them may be lost")


def options(command: Callable[..., None]) -> Callable[..., None]:
    """Adds an option for each assumption."""
    for one in reversed(fields(Assumptions)):
        name = one.name.replace("_", "-")
        command = click.option(f"--{name}", one.name, type=float, help=one.metadata["source"])(command)
    return command

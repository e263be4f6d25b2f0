"""Counts, their sums over processes, and the text for Prometheus."""

import pytest

from app.telemetry.counters import Histogram, SeriesTable
from app.telemetry.families import Family

FAMILIES = (
    Family("counter", "eggs", "Laid.", ("hen",)),
    Family("histogram", "nap_seconds", "Slept.", buckets=(0.125, 1)),
    Family("gauge", "awake", "Now."),
    Family("gauge", "sober", "All of them.", combine=min),
)


def _two() -> tuple[SeriesTable, SeriesTable]:
    both = []
    for amount in (2.0, 5.0):
        table = SeriesTable(FAMILIES)
        table.counter("eggs").labels("a").inc(amount)
        seconds = table.histogram("nap_seconds").labels()
        for value in (0.125, 0.125, amount):
            seconds.observe(value)
        table.gauge("awake").labels().set(amount)
        table.gauge("sober").labels().set(amount)
        both.append(table)
    return both[0], both[1]


def test_processes_add_up() -> None:
    one, other = _two()
    text = one.render([one.snapshot(), other.snapshot()]).decode()
    for line in (
        'eggs_total{hen="a"} 7.0',
        'nap_seconds_bucket{le="0.125"} 4.0',
        'nap_seconds_bucket{le="1.0"} 4.0',
        'nap_seconds_bucket{le="+Inf"} 6.0',
        "nap_seconds_count 6.0",
        "nap_seconds_sum 7.5",
        "awake 7.0",
        "sober 2.0",
    ):
        assert line in text.splitlines()


def test_labels_that_only_one_process_has() -> None:
    one, other = _two()
    snapshot = other.snapshot()
    snapshot["eggs"] = [(("b",), [3.0])]
    text = one.render([one.snapshot(), snapshot]).decode()
    assert 'eggs_total{hen="a"} 2.0' in text
    assert 'eggs_total{hen="b"} 3.0' in text


@pytest.mark.parametrize(("value", "bucket"), [(0, 0), (1, 0), (1.5, 1), (2, 1), (9, 2)])
def test_a_bound_belongs_to_the_bucket_below_it(value: float, bucket: int) -> None:
    histogram = Histogram((1, 2))
    histogram.observe(value)
    assert histogram.read()[1:] == [float(place == bucket) for place in range(3)]

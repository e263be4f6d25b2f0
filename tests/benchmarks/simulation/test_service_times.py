import random
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from benchmarks.simulation.service_times import CALIBRATION, Calibration, ServiceTimes, Spread, Waking


def make_calibration(**fields: Any) -> Calibration:
    known = Calibration(
        date="2026-11-28",
        machine="a machine",
        load_average=0.1,
        version="abc",
        tokens_per_text=20.0,
        batch_s=1e-4,
        request_s=2e-4,
        text_s=1e-5,
        refusal_s={1: 1e-5, 64: 5e-5},
        delay_s=1e-5,
        spreads=[
            Spread(seconds=1e-4, usual=[1.0], rare=[50.0]),
            Spread(seconds=1e-2, usual=[2.0], rare=[3.0]),
        ],
    )
    return known.model_copy(update=fields)


def test_a_request_costs_the_event_loop_its_mean() -> None:
    times = ServiceTimes(make_calibration())
    assert times.reading_s(3) + times.answering_s(3) == pytest.approx(3 * 2e-4)


def test_a_batch_is_spread_as_measured_ones_of_about_its_length() -> None:
    times, rng = ServiceTimes(make_calibration()), random.Random(0)
    short = [times.batch_s(1, False, rng) / (1e-4 + 1e-5) for _ in range(5000)]
    assert set(map(round, short)) == {1, 50}
    assert short.count(max(short)) / 5000 == pytest.approx(0.01, abs=0.005)  # a rare one is as rare as it was
    assert {round(times.batch_s(2000, False, rng) / (1e-4 + 2e-2)) for _ in range(500)} == {2, 3}


def test_a_batch_that_is_handed_over_costs_more() -> None:
    times = ServiceTimes(make_calibration(handed_over_s=1e-4, spreads=[Spread(seconds=1e-4, usual=[1.0], rare=[1.0])]))
    plain, handed = (times.batch_s(64, handed_over, random.Random(0)) for handed_over in (False, True))
    assert handed - plain == pytest.approx(1e-4)


def test_waking_is_drawn_from_the_nearest_size_and_the_longest_idle_time_that_was_reached() -> None:
    wakings = tuple(
        Waking(texts=texts, idle_s=idle_s, seconds=[texts + idle_s]) for texts in (1, 64) for idle_s in (2e-4, 2e-3)
    )
    times, rng = ServiceTimes(make_calibration(wakings=wakings)), random.Random(0)
    assert times.waking_s(1, 5e-5, rng) == 0
    assert times.waking_s(1, 3e-4, rng) == 1 + 2e-4
    assert times.waking_s(60, 1.0, rng) == 64 + 2e-3
    assert ServiceTimes(make_calibration()).waking_s(1, 1.0, rng) == 0


def test_a_refusal_costs_what_the_nearest_size_does() -> None:
    times = ServiceTimes(make_calibration())
    assert (times.refusal_s(8), times.refusal_s(50)) == (1e-5, 5e-5)


def test_a_calibration_survives_its_file(tmp_path: Path) -> None:
    path = tmp_path / "calibration.json"
    path.write_text(make_calibration().model_dump_json())
    assert ServiceTimes.read(path).calibration == make_calibration()
    path.write_text("{}")
    with pytest.raises(ValidationError):
        ServiceTimes.read(path)


def test_the_published_calibration_can_be_read() -> None:
    calibration = ServiceTimes.read(CALIBRATION).calibration
    assert calibration.spreads == sorted(calibration.spreads, key=lambda spread: spread.seconds)
    assert 0 < calibration.text_s < 1e-3

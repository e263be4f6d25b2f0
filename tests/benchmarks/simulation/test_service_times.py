import random
from pathlib import Path

import pytest
from pydantic import ValidationError

from benchmarks.simulation.service_times import CALIBRATION, Calibration, ServiceTimes, Spread


def make_calibration() -> Calibration:
    return Calibration(
        date="2026-11-28",
        machine="a machine",
        load_average=0.1,
        version="abc",
        tokens_per_text=20.0,
        turn_s=1e-4,
        request_s=2e-4,
        text_s=1e-5,
        refusal_s={1: 1e-5, 64: 5e-5},
        delay_s=1e-5,
        spreads=[
            Spread(seconds=1e-4, usual=[1.0], rare=[50.0]),
            Spread(seconds=1e-2, usual=[2.0], rare=[3.0]),
        ],
    )


def test_a_mean_is_linear_in_requests_and_texts() -> None:
    assert ServiceTimes(make_calibration()).mean_s(2, 30) == pytest.approx(1e-4 + 2 * 2e-4 + 30 * 1e-5)


def test_a_turn_is_spread_as_measured_turns_of_about_its_length() -> None:
    times, rng = ServiceTimes(make_calibration()), random.Random(0)
    short = [times.draw_s(1, 1, rng) / times.mean_s(1, 1) for _ in range(5000)]
    assert set(map(round, short)) == {1, 50}
    assert short.count(max(short)) / 5000 == pytest.approx(0.01, abs=0.005)  # a rare one is as rare as it was
    assert {round(times.draw_s(1, 2000, rng) / times.mean_s(1, 2000)) for _ in range(500)} == {2, 3}


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

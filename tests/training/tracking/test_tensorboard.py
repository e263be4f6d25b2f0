"""Event files of TensorBoard, read as TensorBoard reads them."""

from pathlib import Path

import pytest

pytest.importorskip("tensorboard")

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from training.tracking.tensorboard import TensorBoardLog


def curve(folder: Path, name: str) -> list[tuple[int, float]]:
    events = EventAccumulator(str(folder)).Reload()
    return [(point.step, point.value) for point in events.Scalars(name)]


def test_a_second_run_of_the_same_name_replaces_the_curves(tmp_path: Path) -> None:
    for values in ([0.75, 0.625, 0.5], [0.5, 0.25]):
        log = TensorBoardLog(str(tmp_path), "reviews")
        log.begin({"loop.epochs": 3, "data.train": ("a.csv",), "start": None})
        for step, value in enumerate(values, 1):
            log.step(step, {"loss": value})
        assert curve(tmp_path / "reviews", "loss") == [*enumerate(values, 1)]  # while it runs
        log.end({"final/test/accuracy": 0.75} if len(values) == 2 else None)
    assert curve(tmp_path / "reviews", "loss") == [(1, 0.5), (2, 0.25)]
    assert curve(tmp_path / "reviews", "final/test/accuracy") == [(2, 0.75)]
    *_, text = EventAccumulator(str(tmp_path / "reviews")).Reload().Tensors("settings/text_summary")
    assert b"| loop.epochs | 3 |" in text.tensor_proto.string_val[0]

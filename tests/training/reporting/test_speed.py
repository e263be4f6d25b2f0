from pathlib import Path

from model.classifier import Classifier
from training.reporting.speed import measure_speed


def test_speed_is_texts_over_time_and_size_is_that_of_the_folder(tiny_checkpoint: Path) -> None:
    ticks = iter(range(1000))
    classifier = Classifier.load(tiny_checkpoint, device="cpu")
    found = measure_speed(
        classifier, ["good film"] * 10, tiny_checkpoint, threads=1, num_parameters=5, clock=lambda: float(next(ticks))
    )
    assert found.texts == 10
    assert found.texts_per_s == 10 / 2, "once, between the first look at the clock and the third"
    assert found.one_text_ms == 1000.0
    assert found.size_bytes == sum(file.stat().st_size for file in tiny_checkpoint.iterdir())

"""Measures speed and size of a checkpoint, as the machine at hand has them."""

import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from model.classifier import Classifier
from training.provenance import describe_machine
from training.reporting.report import Speed

MOST_TEXTS = 1000
SINGLE_TEXTS = 100

MEASURED_S = 0.3
"""The texts are answered again and again for at least so long."""


def measure_speed(
    classifier: Classifier,
    texts: Sequence[str],
    folder: Path,
    *,
    threads: int,
    num_parameters: int,
    clock: Callable[[], float] = time.perf_counter,
) -> Speed:
    """Answers up to `MOST_TEXTS` of at least one text together, then `SINGLE_TEXTS` one at a time."""
    texts = texts[:MOST_TEXTS]
    classifier.predict(texts[:1])  # the first answer takes longer
    began, answered = clock(), 0
    while answered == 0 or clock() - began < MEASURED_S:
        classifier.predict(texts)
        answered += len(texts)
    texts_per_s = answered / max(clock() - began, 1e-9)
    single = []
    for text in texts[:SINGLE_TEXTS]:
        began = clock()
        classifier.predict([text])
        single.append(clock() - began)
    return Speed(
        texts=len(texts),
        texts_per_s=texts_per_s,
        one_text_ms=statistics.median(single) * 1000,
        device=str(classifier.device),
        threads=threads,
        machine=describe_machine(),
        size_bytes=sum(file.stat().st_size for file in folder.iterdir()),
        num_parameters=num_parameters,
    )

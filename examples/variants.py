"""Comparison of network variants on the series of `examples.long_dependence`: accuracy, size and time.

    python -m examples.variants [--length 150] [--steps 400] [--seeds 3] [--output build/examples]

Every variant is the forward LSTM with one thing changed, trained with the same steps on the same series. On texts of
one's own, `python -m training compare` does the same with more yardsticks. All variants take a few minutes.
"""

import json
import statistics
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click
from matplotlib.figure import Figure

from examples.long_dependence import SHAPE, run
from examples.output import OUTPUT, save
from model.config import EncoderShape
from model.encoder import Encoder

CHANGES: dict[str, dict[str, Any]] = {
    "no recurrence": {"num_layers": 0},
    "plain RNN": {"cell": "rnn"},
    "LSTM": {},
    "LSTM, both directions": {"bidirectional": True},
    "two LSTM layers": {"num_layers": 2},
    "GRU": {"cell": "gru"},
    "peephole LSTM": {"cell": "peephole"},
    "layer-normalised LSTM": {"cell": "layernorm"},
    "convolution in front": {"conv_width": 5},
    "attention pooling": {"pooling": "attention"},
}
"""By title. Without recurrence the largest value of each channel is pooled: a bag of steps."""


@dataclass(frozen=True, slots=True)
class VariantResult:
    """Figures of one variant.

    Attributes:
        parameters: of the encoder; the head has few.
        accuracies: on new series, by seed from 0.
        cpu_s: processor time of one fit, its test and the yardstick's, median over the seeds.
    """

    parameters: int
    accuracies: list[float]
    cpu_s: float


def shape_of(title: str) -> EncoderShape:
    """The shape of the variant of this title."""
    return EncoderShape.model_validate(SHAPE.model_dump() | CHANGES[title])


def num_parameters(shape: EncoderShape) -> int:
    """Number of parameters of an encoder of this shape."""
    return sum(parameter.numel() for parameter in Encoder(shape).parameters())


def measure(title: str, *, length: int, steps: int, seeds: int) -> VariantResult:
    """Trains the variant once a seed."""
    shape, accuracies, seconds = shape_of(title), [], []
    for seed in range(seeds):
        began = time.process_time()
        accuracies.append(run(shape, length=length, steps=steps, seed=seed).accuracy["network"])
        seconds.append(time.process_time() - began)
    return VariantResult(num_parameters(shape), accuracies, round(statistics.median(seconds), 1))


def draw(rows: Mapping[str, VariantResult]) -> Figure:
    """Accuracy of each fit, and parameters beside it."""
    figure = Figure(figsize=(8, 3.5), layout="constrained")
    accuracy, size = figure.subplots(1, 2, sharey=True, width_ratios=(2, 1))
    for place, row in enumerate(rows.values()):
        accuracy.plot([100 * value for value in row.accuracies], [place] * len(row.accuracies), "o", color="C0")
        size.barh(place, row.parameters, color="0.7")
    accuracy.set_yticks(range(len(rows)), list(rows))
    accuracy.invert_yaxis()
    accuracy.set_xlabel("accuracy, %, a dot a seed")
    accuracy.grid(visible=True, axis="x", alpha=0.3)
    size.set_xlabel("parameters")
    return figure


@click.command()
@click.option("--length", type=click.IntRange(min=10), default=150, show_default=True, help="Time steps of a series.")
@click.option("--steps", type=click.IntRange(min=1), default=400, show_default=True, help="Steps of training.")
@click.option("--seeds", type=click.IntRange(min=1), default=3, show_default=True, help="Fits of each variant.")
@OUTPUT
def main(length: int, steps: int, seeds: int, output: Path) -> None:
    """Compares the variants; prints a table and writes variants.json and variants.png into --output."""
    output.mkdir(parents=True, exist_ok=True)
    rows = {}
    for title in CHANGES:
        row = rows[title] = measure(title, length=length, steps=steps, seeds=seeds)
        found = " ".join(f"{value:.3f}" for value in row.accuracies)
        click.echo(f"{title:<24}{row.parameters:>7,} parameters  accuracy {found}  {row.cpu_s} s")
    report = {"length": length, "steps": steps, "rows": {title: asdict(row) for title, row in rows.items()}}
    (output / "variants.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    save(draw(rows), output, "variants.png")


if __name__ == "__main__":
    main()

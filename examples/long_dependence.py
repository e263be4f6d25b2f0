"""Telling series apart by the order of two events that lie far from each other.

    python -m examples.long_dependence [--length 150] [--steps 400] [--seed 0] [--output build/examples]

Three channels of noise. Two pulses stand in each series, one in its first fifth and one between its third and its
fourth, each in channel 0 or in channel 1: four kinds of series. Which kinds of pulses there were can be read off the
largest value of each channel, but not which came first: whoever forgets order is right in three of four cases at best.
Source: after the temporal order problem of Hochreiter & Schmidhuber 1997, section 5.6, task 6a.

The yardstick is logistic regression over the mean, largest, smallest and last value of each channel: a bag of steps.

Shape suffixes: T time steps, N series, E channels, F features.
"""

from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from matplotlib.figure import Figure
from sklearn.linear_model import LogisticRegression

from examples.learner import Learner, fit, predict
from examples.output import OUTPUT, save
from model.config import EncoderShape

Floats = npt.NDArray[np.float32]
Kinds = npt.NDArray[np.int64]

KINDS = ("0, 0", "0, 1", "1, 0", "1, 1")
"""Channel of the first pulse and of the second."""

CHANNELS = 3
NOISE, PULSE = 0.2, 1.5
TRAINED, TESTED = 2000, 1000

SHAPE = EncoderShape(embedding_dim=CHANNELS, hidden_size=24, bidirectional=False, pooling="max")
"""One layer, forward: when it sees the second pulse it must still know of the first."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """Shares of new series that were given their kind.

    Attributes:
        accuracy: by method.
        losses: the network's, step by step.
        confusion: [kind, answer], the network's.
    """

    accuracy: dict[str, float]
    losses: list[float]
    confusion: Kinds


def draw_series(num_series: int, length: int, seed: int) -> tuple[Floats, Kinds]:
    """Series [T, N, E] and their kinds [N], 0 to 3; at least 10 steps long."""
    rng = np.random.default_rng(seed)
    x_TNE = rng.normal(0, NOISE, (length, num_series, CHANNELS)).astype(np.float32)
    first_N, second_N = rng.integers(0, 2, (2, num_series))
    fifth, rows_N = length // 5, np.arange(num_series)
    x_TNE[rng.integers(0, fifth, num_series), rows_N, first_N] += PULSE
    x_TNE[rng.integers(3 * fifth, 4 * fifth, num_series), rows_N, second_N] += PULSE
    return x_TNE, 2 * first_N + second_N


def bag_of_steps(x_TNE: Floats) -> Floats:
    """Features [N, F] of each series without its order: mean, maximum, minimum and last value."""
    return np.concatenate([x_TNE.mean(axis=0), x_TNE.max(axis=0), x_TNE.min(axis=0), x_TNE[-1]], axis=1)


def run(shape: EncoderShape = SHAPE, *, length: int, steps: int, seed: int) -> Outcome:
    """Trains on some series and measures on others."""
    torch.manual_seed(seed)
    x_TNE, kinds_N = draw_series(TRAINED, length, 2 * seed)
    new_TNE, truth_N = draw_series(TESTED, length, 2 * seed + 1)
    learner = Learner(shape, len(KINDS))
    losses = fit(learner, torch.from_numpy(x_TNE), torch.from_numpy(kinds_N), F.cross_entropy, steps=steps)
    answers_N = predict(learner, torch.from_numpy(new_TNE)).argmax(dim=1).numpy()
    bag = LogisticRegression(max_iter=1000).fit(bag_of_steps(x_TNE), kinds_N)
    confusion = np.zeros((len(KINDS), len(KINDS)), dtype=np.int64)
    np.add.at(confusion, (truth_N, answers_N), 1)
    accuracy = {
        "network": float(np.mean(answers_N == truth_N)),
        "bag of steps": float(np.mean(bag.predict(bag_of_steps(new_TNE)) == truth_N)),
        "commonest kind": float(np.mean(truth_N == np.bincount(kinds_N).argmax())),
    }
    return Outcome(accuracy, losses, confusion)


def draw(outcome: Outcome, length: int) -> Figure:
    """A series of each order, the loss, and what was answered."""
    x_TNE, kinds_N = draw_series(50, length, 0)
    figure = Figure(figsize=(11, 3), layout="constrained")
    series, loss, confusion = figure.subplots(1, 3, width_ratios=(2, 1, 1))
    for place, kind in enumerate((1, 2)):
        row = int(np.flatnonzero(kinds_N == kind)[0])
        for channel in range(CHANNELS):
            series.plot(x_TNE[:, row, channel] - 6 * place, f"C{channel}", linewidth=0.8)
        series.text(0, 2.2 - 6 * place, f"pulses in channels {KINDS[kind]}")
    series.set_ylim(-8, 3.5)
    series.set_yticks([])
    series.set_xlabel("time step")
    loss.plot(outcome.losses, linewidth=0.8)
    loss.set_xlabel("step of training")
    loss.set_ylabel("cross-entropy, nats")
    confusion.imshow(outcome.confusion, cmap="Blues")
    confusion.set_xticks(range(len(KINDS)), KINDS)
    confusion.set_yticks(range(len(KINDS)), KINDS)
    confusion.set_xlabel("answer")
    confusion.set_ylabel("truth")
    return figure


@click.command()
@click.option("--length", type=click.IntRange(min=10), default=150, show_default=True, help="Time steps of a series.")
@click.option("--steps", type=click.IntRange(min=1), default=400, show_default=True, help="Steps of training.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of the series and the weights.")
@OUTPUT
def main(length: int, steps: int, seed: int, output: Path) -> None:
    """Classifies series by the order of two events; prints accuracies and writes long_dependence.png into --output."""
    outcome = run(length=length, steps=steps, seed=seed)
    click.echo(f"accuracy on {TESTED} new series of {length} steps")
    for name, accuracy in outcome.accuracy.items():
        click.echo(f"{name:<16}{accuracy:.3f}")
    save(draw(outcome, length), output, "long_dependence.png")


if __name__ == "__main__":
    main()

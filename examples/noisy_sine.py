"""Forecasting a noisy sine from a window of 20 values: one step ahead, and on from its own answers.

    python -m examples.noisy_sine [--steps 300] [--seed 0] [--output build/examples]

The network sees 20 values and no time, and learns to give the 21st. One step ahead it is set against the last value,
the mean of the window and the best linear function of the window, which is not trivial. Then each answer is put behind
the window as if it had been measured, 100 times over, without another look at the series; that is set against the
sine without noise, for a forecast cannot know the noise to come.

Shape suffixes: T time steps of a window, N windows, S steps ahead.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from matplotlib.figure import Figure

from examples.learner import Learner, fit, predict
from examples.output import OUTPUT, save
from model.config import EncoderShape

Floats = npt.NDArray[np.float32]

WINDOW = 20
PERIOD = 25.0
"""Time steps; longer than the window, so that no value of the window can be simply repeated."""

NOISE = 0.1
"""Standard deviation; no forecast has a smaller error against the noisy series, except by luck."""

TRAINED, TESTED = 2000, 500
"""Values of the series that are learned from, and those after them."""

AHEAD, STARTS = 100, 50
"""Length of the recursive forecasts, and their number, each begun one value later."""

SHAPE = EncoderShape(embedding_dim=1, hidden_size=32, bidirectional=False, pooling="last")

Forecast = Callable[[Floats], Floats]
"""The next value [N] of each window [T, N]."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """Root mean square errors, by name of the forecast, and a picture's worth of one recursive forecast.

    Attributes:
        one_step: against the noisy series.
        recursive: over `AHEAD` steps against the sine without noise.
        clean_S, forecast_S: the sine and the network's recursive forecast from the first window.
        window_T: that window.
    """

    one_step: dict[str, float]
    recursive: dict[str, float]
    clean_S: Floats
    forecast_S: Floats
    window_T: Floats


def draw_series(seed: int) -> tuple[Floats, Floats]:
    """The sine, and the sine with noise; each of `TRAINED` and `TESTED` values."""
    clean = np.sin(2 * np.pi * np.arange(TRAINED + TESTED) / PERIOD)
    noise = np.random.default_rng(seed).normal(0, NOISE, clean.shape)
    return clean.astype(np.float32), (clean + noise).astype(np.float32)


def windows(series: Floats) -> tuple[Floats, Floats]:
    """Every `WINDOW` values in a row, [T, N], and the value after each, [N].

    >>> x_TN, next_N = windows(np.arange(23, dtype=np.float32))
    >>> x_TN.shape, next_N.tolist()
    ((20, 3), [20.0, 21.0, 22.0])
    """
    x_NT = np.lib.stride_tricks.sliding_window_view(series[:-1], WINDOW)
    return x_NT.T.copy(), series[WINDOW:]


def recursive(forecast: Forecast, x_TN: Floats, num_steps: int) -> Floats:
    """Forecasts [S, N], each made from the window with the forecasts before it at its end."""
    answers = []
    for _ in range(num_steps):
        answers.append(forecast(x_TN))
        x_TN = np.concatenate([x_TN[1:], answers[-1][None]])
    return np.stack(answers)


def linear(x_TN: Floats, next_N: Floats) -> Forecast:
    """The linear function of a window with the least squares over these."""
    weights_T = np.linalg.lstsq(x_TN.T, next_N, rcond=None)[0]
    return lambda x_TN: np.asarray(weights_T @ x_TN, dtype=np.float32)


def learned(x_TN: Floats, next_N: Floats, *, steps: int) -> Forecast:
    """The forecast of a network that is trained on these."""
    learner = Learner(SHAPE, num_outputs=1)
    x_TN1 = torch.from_numpy(x_TN).unsqueeze(2)
    fit(learner, x_TN1, torch.from_numpy(next_N), lambda y_BO, t_B: F.mse_loss(y_BO[:, 0], t_B), steps=steps)
    return lambda x_TN: predict(learner, torch.from_numpy(x_TN).unsqueeze(2))[:, 0].numpy()


def run(*, steps: int, seed: int) -> Outcome:
    """Trains on the first part of a series and measures every forecast on the second."""
    torch.manual_seed(seed)
    clean, noisy = draw_series(seed)
    trained = windows(noisy[:TRAINED])
    forecasts: dict[str, Forecast] = {
        "LSTM": learned(*trained, steps=steps),
        "last value": lambda x_TN: x_TN[-1],
        "mean of the window": lambda x_TN: x_TN.mean(axis=0),
        "linear, least squares": linear(*trained),
    }
    x_TN, next_N = windows(noisy[TRAINED:])
    clean_SN = np.lib.stride_tricks.sliding_window_view(clean[TRAINED + WINDOW :], AHEAD)[:STARTS].T
    ahead = {name: recursive(forecast, x_TN[:, :STARTS], AHEAD) for name, forecast in forecasts.items()}
    return Outcome(
        one_step={name: rmse(forecast(x_TN), next_N) for name, forecast in forecasts.items()},
        recursive={name: rmse(answers_SN, clean_SN) for name, answers_SN in ahead.items()},
        clean_S=clean_SN[:, 0],
        forecast_S=ahead["LSTM"][:, 0],
        window_T=x_TN[:, 0],
    )


def rmse(answers: Floats, truth: Floats) -> float:
    """Root mean square error."""
    return float(np.sqrt(np.mean((answers - truth) ** 2)))


def draw(outcome: Outcome) -> Figure:
    """One recursive forecast beside the sine that it cannot see."""
    figure = Figure(figsize=(8, 3), layout="constrained")
    axes = figure.subplots()
    axes.plot(range(-WINDOW, 0), outcome.window_T, "k.", label="window, noisy")
    axes.plot(outcome.clean_S, color="0.7", label="sine, not seen")
    axes.plot(outcome.forecast_S, "C0", label="LSTM on its own answers")
    axes.set_xlabel("time step")
    figure.legend(loc="outside upper center", ncols=3)
    return figure


@click.command()
@click.option("--steps", type=click.IntRange(min=1), default=300, show_default=True, help="Steps of training.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of the noise and the weights.")
@OUTPUT
def main(steps: int, seed: int, output: Path) -> None:
    """Forecasts a noisy sine; prints errors and writes noisy_sine.png into --output."""
    outcome = run(steps=steps, seed=seed)
    click.echo(f"RMSE{'':<22}one step{'':<4}{AHEAD} steps, recursive")
    for name, error in outcome.one_step.items():
        click.echo(f"{name:<26}{error:<12.3f}{outcome.recursive[name]:.3f}")
    click.echo(f"{'(standard deviation of the noise)':<26} {NOISE}")
    save(draw(outcome), output, "noisy_sine.png")


if __name__ == "__main__":
    main()

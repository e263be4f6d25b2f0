"""Vanishing gradients: the gradient left after 1 to 500 time steps of a plain RNN, an LSTM and a GRU.

    python -m examples.gradients [--output build/examples]

A layer reads noise, and what is measured is the norm of the gradient of its last hidden state with respect to the
input k steps earlier, over the norm at the last step itself. Where the curve has fallen to 1e-6, an error teaches next
to nothing about what stood there. The layers are those that train (`model.recurrent`) as they begin, in double
precision; for the LSTM only the bias of the forget gate, b_f, changes from curve to curve. Along the cell state alone
the product of the forget gates is left, about σ(b_f)^k; what comes back through the hidden states adds to it.

Source of the question: Bengio, Simard & Frasconi 1994; Hochreiter & Schmidhuber 1997, section 3.

Shape suffixes: T time steps, B series, E their width, H hidden units, K steps back.
"""

from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
import numpy.typing as npt
import torch
from matplotlib.figure import Figure

from examples.output import OUTPUT, save
from model.cell import RecurrentCell
from model.config import Cell
from model.recurrent import LAYERS

Floats = npt.NDArray[np.float64]

STEPS_BACK = 500
SIZE, NUM_SERIES = 32, 32
FLOOR = 1e-12
"""The picture ends here."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One curve: a cell, and the bias of its forget gate if that is changed."""

    title: str
    cell: Cell
    forget_bias: float | None = None


SETTINGS = (
    Setting("plain RNN", "rnn"),
    Setting("GRU", "gru"),
    Setting("LSTM, forget bias 0", "lstm", 0.0),
    Setting("LSTM, forget bias 1", "lstm", 1.0),
    Setting("LSTM, forget bias 3", "lstm", 3.0),
)


def build(setting: Setting, seed: int = 0) -> RecurrentCell:
    """Builds the layer as training does, but for the forget bias."""
    torch.manual_seed(seed)
    layer = LAYERS[setting.cell](SIZE, SIZE).double()
    if setting.forget_bias is not None and layer.forget_gate is not None:
        with torch.no_grad():
            layer.bias.chunk(layer.num_gates)[layer.forget_gate].fill_(setting.forget_bias)
    return layer


def gradient_norms(layer: RecurrentCell, steps_back: int = STEPS_BACK, seed: int = 1) -> Floats:
    """Norms [K + 1] of the gradient at 0 to K steps back, relative to 0 steps; a geometric mean over the series."""
    torch.manual_seed(seed)
    x_TBE = torch.randn(steps_back + 1, NUM_SERIES, layer.weight_ih.shape[1], dtype=layer.bias.dtype)
    last_BH = layer(x_TBE.requires_grad_())[-1]
    (gradient_TBE,) = torch.autograd.grad(last_BH, x_TBE, torch.randn_like(last_BH))
    logs_TB = gradient_TBE.norm(dim=2).clamp(min=1e-300).log()
    return np.asarray((logs_TB - logs_TB[-1]).mean(dim=1).flip(0).exp().numpy(), dtype=np.float64)


def measure() -> dict[str, Floats]:
    """The curve of each setting, by title."""
    return {setting.title: gradient_norms(build(setting)) for setting in SETTINGS}


def draw(curves: dict[str, Floats]) -> Figure:
    """All curves over a logarithmic scale, down to `FLOOR`."""
    figure = Figure(figsize=(8, 4), layout="constrained")
    axes = figure.subplots()
    for title, norms_K in curves.items():
        seen = int((norms_K >= FLOOR).cumprod().sum())
        places = np.unique(np.concatenate([np.arange(min(seen, 20)), np.linspace(0, seen - 1, 40).astype(int)]))
        axes.plot(places, norms_K[places], label=title)
    axes.set_yscale("log")
    axes.set_ylim(FLOOR, 10)
    axes.set_xlabel("steps back, k")
    axes.set_ylabel("‖∂h$_T$/∂x$_{T-k}$‖, relative")
    axes.legend()
    axes.grid(visible=True, alpha=0.3)
    return figure


@click.command()
@OUTPUT
def main(output: Path) -> None:
    """Measures how a gradient vanishes over time; prints a table and writes gradients.png into --output."""
    curves, shown = measure(), (1, 10, 50, 100, 500)
    click.echo(f"{'steps back':<28}" + "".join(f"{k:<10}" for k in shown))
    for title, norms_K in curves.items():
        click.echo(f"{title:<28}" + "".join(f"{norms_K[k]:<10.0e}" for k in shown))
    save(draw(curves), output, "gradients.png")


if __name__ == "__main__":
    main()

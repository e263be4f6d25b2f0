"""Emulates the roundings of the CPU engine one by one: how far each moves the logits of float32.

    python -m benchmarks.engine.rounding FILE... [--checkpoint checkpoints/sentiment] [--texts 60] [--first 0]

FILEs are labelled texts such as imdb/test.parquet. It is for one layer of LSTM, whose gates are the
16-bit integers of `avx512-fixed`; weights and table are rounded by the engine's own functions.

Shape suffixes: B texts, H hidden units, G = 4 * H, V tokens that occur, C labels, F pooled states.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import click
import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.table import Table

from benchmarks.lib.shipped import SHIPPED
from model.batch import Ids
from model.checkpoint import Checkpoint, load_checkpoint
from model.engine.arrays import GATES
from model.engine.description import POOLS
from model.engine.gates import Gates, head_weights, layer_gates
from model.engine.input_table import INPUT_UNITS, input_table
from model.engine.layout import GATE_UNITS, H_SCALE, pack_recurrent
from model.text import TextEncoder
from training.data.dataset import read_dataset

Floats = npt.NDArray[np.float64]
Steps = frozenset[str]

STEPS = ("table", "weights", "states", "lines", "words")
"""Roundings: looked-up inputs, recurrent weights and states to 8 bits, sigmoid and tanh by straight lines, gates,
cells and states to 16 bits."""

LEAST_STATE, CELLS, LARGEST_CELL = 0.5, 64, 16.0
"""See `native/fixed_kernel.h` and `native/gate_tables.h`."""


def logits(checkpoint: Checkpoint, rows: Sequence[Ids], steps: Steps) -> Floats:
    """Logits [B, C] of token ids with these roundings, without bias and n-grams, which are not rounded."""
    architecture = checkpoint.config.architecture
    rows = [np.asarray(row) for row in rows]
    directions = [
        pooled_states(layer_gates(architecture, checkpoint.weights, 0, direction), checkpoint, turned, steps)
        for direction, turned in enumerate((rows, [row[::-1] for row in rows])[: architecture.num_directions])
    ]
    parts = [states[pool] for pool in POOLS[architecture.pooling] for states in directions]
    product: Floats = np.concatenate(parts, axis=1) @ head_weights(architecture, checkpoint.weights).T
    return product


def pooled_states(gates: Gates, checkpoint: Checkpoint, rows: Sequence[Ids], steps: Steps) -> tuple[Floats, ...]:
    """Largest, mean and last states [B, H] of one direction."""
    tokens, places = np.unique(np.concatenate(rows), return_inverse=True)
    table_VG = _looked_up(np.asarray(checkpoint.weights["embedding"], np.float32)[tokens], gates, "table" in steps)
    weight_HG = (_rounded_weights(gates.weight_hh_GH) if "weights" in steps else gates.weight_hh_GH).T.astype(float)
    sigmoid, tanh = _lines() if "lines" in steps else (_sigmoid, np.tanh)
    word = _word if "words" in steps else (lambda x, _: x)
    lengths_B = np.array([len(row) for row in rows])
    starts_B = np.cumsum(lengths_B) - lengths_B
    shape = (len(rows), len(weight_HG))
    h, c, last, total = (np.zeros(shape) for _ in range(4))
    largest = np.full(shape, -1.0)
    for t in range(lengths_B.max()):
        on = lengths_B > t
        states = _as_bytes(h[on]) if "states" in steps else h[on]
        gates_BG = word(table_VG[places[starts_B[on] + t]] + states @ weight_HG, 11)
        i, f, g, o = np.split(gates_BG, GATES, axis=1)
        c[on] = word(sigmoid(f) * c[on] + sigmoid(i) * tanh(g), 11).clip(-LARGEST_CELL, LARGEST_CELL)
        h[on] = word(sigmoid(o) * tanh(c[on]), 12)
        total[on] += h[on]
        largest[on], last[on] = np.maximum(largest[on], h[on]), h[on]
    return largest, total / lengths_B[:, None], last


def _looked_up(embedding_VE: npt.NDArray[np.float32], gates: Gates, rounded: bool) -> Floats:
    if not rounded:
        exact: Floats = embedding_VE.astype(np.float64) @ gates.weight_ih_GE.astype(np.float64).T + gates.bias_G
        return exact
    values, steps = input_table(embedding_VE, gates.weight_ih_GE, gates.bias_G)
    whole = values.astype(float) * steps[..., None] / INPUT_UNITS[:, None]
    table: Floats = whole.transpose(0, 2, 1, 3).reshape(len(whole), -1)
    return table


def _rounded_weights(weight_GH: npt.NDArray[np.float32]) -> Floats:
    packed, _, scales = pack_recurrent(weight_GH)
    whole = packed.transpose(2, 0, 3, 1, 4).reshape(weight_GH.shape)
    steps_G = scales.transpose(1, 0, 2).reshape(GATES, -1) * H_SCALE / GATE_UNITS[:, None]
    rounded: Floats = whole * steps_G.reshape(-1, 1)
    return rounded


def _as_bytes(states_BH: Floats) -> Floats:
    unit = np.maximum(np.abs(states_BH).max(axis=1, keepdims=True), LEAST_STATE) / H_SCALE
    whole: Floats = np.rint(states_BH / unit) * unit
    return whole


def _word(x: Floats, bits: int) -> Floats:
    whole: Floats = np.ldexp(np.rint(np.ldexp(x, bits)), -bits)
    return whole


def _sigmoid(x: Floats) -> Floats:
    value: Floats = 1 / (1 + np.exp(-x))
    return value


def _lines() -> tuple[Callable[[Floats], Floats], Callable[[Floats], Floats]]:
    """Sigmoid and tanh as `native/gate_tables.cpp` has them."""
    width = 16 / CELLS
    left: Floats = width * np.arange(-CELLS // 2, CELLS // 2, dtype=np.float64)

    def approximate(exact: Callable[[Floats], Floats]) -> Callable[[Floats], Floats]:
        slope: Floats = (exact(left + width) - exact(left)) / width
        above = exact(left + width / 2) - (exact(left) + slope * width / 2)
        start = exact(left) - slope * left + above / 2

        def value(x: Floats) -> Floats:
            x = x.clip(-8, 8 - 1e-9)
            cell = ((x + 8) / width).astype(int)
            found: Floats = start[cell] + slope[cell] * x
            return found

        return value

    half_tanh = approximate(lambda x: np.tanh(x / 2))
    return approximate(_sigmoid), lambda x: half_tanh(2 * x)


def moved_by_step(checkpoint: Checkpoint, rows: Sequence[Ids]) -> dict[str, Floats]:
    """By how much each rounding, all, and all without each move the logits [B, C], less the mean over the labels."""
    everything = frozenset(STEPS)
    sets = {step: frozenset({step}) for step in STEPS} | {"all": everything}
    sets |= {f"all without {step}": everything - {step} for step in STEPS}
    exact = logits(checkpoint, rows, frozenset())
    moved = {name: logits(checkpoint, rows, steps) - exact for name, steps in sets.items()}
    return {name: each - each.mean(axis=1, keepdims=True) for name, each in moved.items()}


@click.command(help=__doc__)
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--checkpoint", "folder", type=click.Path(path_type=Path), default=SHIPPED)
@click.option("--texts", "count", type=click.IntRange(min=1), default=60, show_default=True, help="Of each file.")
@click.option("--first", type=click.IntRange(min=0), default=0, show_default=True, help="Number of the first of them.")
def main(files: tuple[Path, ...], folder: Path, count: int, first: int) -> None:
    """Prints a table of the logits' movement, root mean square and largest, for each file."""
    checkpoint = load_checkpoint(folder)
    architecture = checkpoint.config.architecture
    if architecture.num_layers != 1 or architecture.cell != "lstm" or architecture.pooling not in POOLS:
        raise click.ClickException(f"{folder}: not one layer of LSTM without attention, which alone is emulated")
    encoder = TextEncoder(checkpoint.tokenizer, max_tokens=checkpoint.config.max_tokens)
    for file in files:
        texts = read_dataset(file, text_column="text", label_column="label").texts[first : first + count]
        rows = [encoded.ids for encoded in encoder.encode(texts) if len(encoded.ids)]
        if not rows:
            raise click.ClickException(f"{file}: no text from number {first} on has tokens")
        table = Table("rounded", "logit moved, root mean square", "most", title=f"{file.parent.name}/{file.name}")
        for name, moved in moved_by_step(checkpoint, rows).items():
            table.add_row(name, f"{np.sqrt((moved**2).mean()):.5f}", f"{np.abs(moved).max():.4f}")
        Console().print(table)


if __name__ == "__main__":
    main()

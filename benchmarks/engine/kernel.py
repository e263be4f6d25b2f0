"""Measures the CPU engine alone, without tokenising: nanoseconds of CPU time a token, by shape of the batch.

    python -m benchmarks.engine.kernel [--checkpoint FOLDER]... [--variant NAME]... [--against CHECKOUT] [FILE...]
    python -m benchmarks.engine.kernel --network cell=gru --network num_layers=2,pooling=attention --pytorch

Each checkpoint, by each variant of the kernel (instruction set; those that the processor has, if none is named), in a
process of its own; they take turns, so that a machine whose speed drifts slows all. `--against` adds another checkout
of the project with its own library, such as the commit before (a git worktree with `python -m model.engine.build` run).
`--network` changes the checkpoint's architecture, with random weights; `--pytorch` adds the same network in float32.
Token ids are drawn by Zipf's law, whose frequencies are those of words; FILEs of texts, such as sst2/test.parquet, add
shapes of their own, in batches of 64 texts sorted by length.
"""

import itertools
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import click
import numpy as np
import numpy.typing as npt
import torch
from rich.console import Console
from rich.table import Table

from benchmarks.lib.ratios import Spread
from benchmarks.lib.shipped import SHIPPED
from benchmarks.lib.texts import read_texts
from model.checkpoint import load_checkpoint, save_checkpoint
from model.config import Architecture
from model.engine.cpu import VARIANT_VARIABLE, variants
from model.network import RecurrentClassifier, to_arrays
from model.text import TextEncoder
from training.provenance import describe_machine

ROOT = Path(__file__).parents[2]
WORKER = Path(__file__).with_name("kernel_worker.py")
PYTORCH = "pytorch"
"""In place of a variant: the network in float32."""

SHAPES = {"1 of 20 tokens": (1, 20), "64 of 25 tokens": (64, 25), "64 of 230 tokens": (64, 230)}
"""Texts of a batch and tokens of each, by name."""

Rows = list[npt.NDArray[np.int32]]


@dataclass(frozen=True, slots=True)
class Contender:
    """One engine to time: a checkout, a checkpoint, and a variant or the one that the engine picks."""

    checkout: Path
    checkpoint: Path
    variant: str | None

    def start(self, rows: Path) -> "subprocess.Popen[str]":
        """Starts the process that times it."""
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        if self.variant is not None:
            environment[VARIANT_VARIABLE] = self.variant
        return subprocess.Popen(
            [sys.executable, str(WORKER), str(self.checkout), str(self.checkpoint), str(rows)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )


@contextmanager
def changed(checkpoint: Path, network: str) -> Iterator[Path]:
    """A checkpoint with this architecture and random weights, for as long as the block lasts; "" changes nothing."""
    if not network:
        yield checkpoint
        return
    loaded = load_checkpoint(checkpoint)
    config = loaded.config
    changes = dict(part.split("=", 1) for part in network.split(","))
    architecture = Architecture.model_validate(config.architecture.model_dump() | changes)
    torch.manual_seed(0)
    weights = to_arrays(RecurrentClassifier(architecture, len(config.labels)).weights())
    with tempfile.TemporaryDirectory() as folder:
        new = replace(loaded, config=config.model_copy(update={"architecture": architecture}), weights=weights)
        save_checkpoint(Path(folder) / "checkpoint", new)
        yield Path(folder) / "checkpoint"


def drawn(vocabulary: int, texts: int, tokens: int) -> Rows:
    """Rows of token ids by Zipf's law, the same each time."""
    rng = np.random.default_rng(0)
    return [(rng.zipf(1.1, tokens) % vocabulary).astype(np.int32) for _ in range(texts)]


def of_file(file: Path, checkpoint: Path, count: int) -> Rows:
    """Token ids of a file's texts, sorted by length."""
    loaded = load_checkpoint(checkpoint)
    encoder = TextEncoder(loaded.tokenizer, max_tokens=loaded.config.max_tokens)
    return sorted((text.ids for text in encoder.encode(read_texts(file, count=count))), key=len)


def write_rows(checkpoint: Path, files: tuple[Path, ...], count: int, target: Path) -> list[str]:
    """Writes every shape for the workers; returns the shapes' names."""
    vocabulary = load_checkpoint(checkpoint).config.architecture.vocab_size
    shapes = {name: drawn(vocabulary, *shape) for name, shape in SHAPES.items()}
    shapes |= {f"{file.parent.name} {file.stem}": of_file(file, checkpoint, count) for file in files}
    arrays = {name: np.concatenate(rows) for name, rows in shapes.items()}
    lengths = {f"{name}.lengths": np.array([len(row) for row in rows]) for name, rows in shapes.items()}
    np.savez(target, **arrays, **lengths)  # type: ignore[arg-type]  # numpy's stub takes the names for its options
    return list(shapes)


def measure(contenders: list[Contender], rows: Path, shapes: list[str], rounds: int) -> dict[str, list[list[float]]]:
    """Nanoseconds a token by shape, of each contender and round. The first round, which warms up, is left out."""
    workers = [contender.start(rows) for contender in contenders]
    try:
        found: dict[str, list[list[float]]] = {}
        for shape in shapes:
            turns = [[_ask(worker, shape) for worker in workers] for _ in range(rounds + 1)][1:]
            found[shape] = [list(figures) for figures in zip(*turns, strict=True)]
        return found
    finally:
        for worker in workers:
            worker.communicate()


def _ask(worker: "subprocess.Popen[str]", shape: str) -> float:
    if worker.stdin is None or worker.stdout is None:
        raise AssertionError("started with pipes")
    worker.stdin.write(f"{shape}\n")
    worker.stdin.flush()
    return float(worker.stdout.readline())


@click.command(help=__doc__)
@click.argument("files", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--checkpoint", "checkpoints", multiple=True, type=click.Path(path_type=Path), default=(SHIPPED,))
@click.option("--variant", "names", multiple=True, help="As the engine names them.")
@click.option("--against", type=click.Path(exists=True, file_okay=False, path_type=Path), help="Another checkout.")
@click.option("--network", "networks", multiple=True, default=("",), help="Settings, such as cell=gru,num_layers=2.")
@click.option("--pytorch", is_flag=True, help="Time PyTorch too.")
@click.option("--texts", "count", default=1000, show_default=True, help="Of each file, taken evenly.")
@click.option("--rounds", default=7, show_default=True, type=click.IntRange(min=1))
def main(
    files: tuple[Path, ...],
    checkpoints: tuple[Path, ...],
    names: tuple[str, ...],
    against: Path | None,
    networks: tuple[str, ...],
    pytorch: bool,
    count: int,
    rounds: int,
) -> None:
    """Prints a table for each network."""
    console = Console(width=160)
    console.print(f"{describe_machine()}, one thread; median of {rounds} rounds (least to most)", highlight=False)
    wanted = [*(names or variants()), *([PYTORCH] if pytorch else [])]
    for checkpoint, network in itertools.product(checkpoints, networks):
        with changed(checkpoint.resolve(), network) as folder:
            contenders = [Contender(ROOT, folder, name) for name in wanted]
            if against is not None:
                contenders.append(Contender(against.resolve(), folder, None))
            console.print(compare(contenders, folder, network, files, count, rounds))


def compare(
    contenders: list[Contender], checkpoint: Path, network: str, files: tuple[Path, ...], count: int, rounds: int
) -> Table:
    """Times every shape of batch by each contender."""
    hidden = load_checkpoint(checkpoint).config.architecture.hidden_size
    table = Table("batch", "variant", "ns a token", "of the last row's time", title=f"H {hidden} {network}".strip())
    with tempfile.TemporaryDirectory() as folder:
        rows = Path(folder) / "rows.npz"
        shapes = write_rows(checkpoint, files, count, rows)
        for shape, figures in measure(contenders, rows, shapes, rounds).items():
            for contender, times in zip(contenders, figures, strict=True):
                name = contender.variant if contender.checkout == ROOT else str(contender.checkout)
                spread = f"{statistics.median(times):.0f} ({min(times):.0f} to {max(times):.0f})"
                table.add_row(shape, name, spread, str(Spread.of(times, figures[-1])))
    return table


if __name__ == "__main__":
    main()

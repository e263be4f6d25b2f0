"""The forward pass on a GPU: is it right, and how fast is it?

    python -m benchmarks.gpu --data DIR [--checkpoint DIR] [--output DIR] [--budget-s 240] [--only SECTION]...

DIR holds sst2/test.parquet, imdb/test.parquet, chnsenticorp/test.parquet, and for training sst2/train.parquet and
sst2/validation.parquet. Sections, in order; each may fail without the others, and none begins once the budget is spent:

right       Fresh random weights and odd rows through every tile, and cuDNN, against the network on the CPU in float32.
labels      The checkpoint on test texts: labels changed, probability moved.
ceilings    The card's memory bandwidth and its rate of matrix products, measured.
shares      The kernels' device time, and the share of both ceilings.
table       Texts a second from token ids to logits, against cuDNN packed and padded, at 1, 32, 1,024 and 16,384 texts.
sweep       Device time by tile.
texts       From texts to logits, tokenising on all cores.
http        The server under load.
training    Sluice's trainer against the plain loop.

`--device cpu --interpret` is a dry run of all but `http` and `training` by Triton's interpreter, with a few texts.

The kernels hold a network of up to 128 units in 16 bits. Of a larger one, as the shipped checkpoint's, they leave out
`labels`, `shares`, `sweep` and `texts`, and `table` has cuDNN alone; --checkpoint names another one.
"""

import os
import sys
import time
from collections.abc import Callable
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import click

from benchmarks.gpu.report import Report, summary

SECTIONS = ("right", "labels", "ceilings", "shares", "table", "sweep", "texts", "http", "training")
ON_A_GPU = ("http", "training")
OF_THE_KERNELS = ("labels", "shares", "sweep", "texts")


@click.command(help=__doc__)
@click.option("--data", type=click.Path(path_type=Path), default=Path("data"), show_default=True)
@click.option("--checkpoint", type=click.Path(path_type=Path), help="In place of the shipped one.")
@click.option("--output", type=click.Path(path_type=Path), help="A folder for gpu.json and gpu.md.")
@click.option("--budget-s", default=240.0, show_default=True)
@click.option("--device", "name", default="cuda", show_default=True)
@click.option("--interpret", is_flag=True, help="By Triton's interpreter.")
@click.option("--only", type=click.Choice(SECTIONS), multiple=True)
@click.option("--seconds", default=0.3, show_default=True, help="Of a figure.")
def main(
    data: Path,
    checkpoint: Path | None,
    output: Path | None,
    budget_s: float,
    name: str,
    interpret: bool,
    only: tuple[str, ...],
    seconds: float,
) -> None:
    """Runs the sections until the budget is spent."""
    report = Report(output, time.monotonic() + budget_s)
    if interpret:
        os.environ["TRITON_INTERPRET"] = "1"  # before anything imports Triton
    sections = build_sections(report, data, checkpoint, name, seconds)
    for section in only or [each for each in SECTIONS if not interpret or each not in ON_A_GPU]:
        report.section(section, sections[section])
    report.write()
    print(f"\n{summary(report)}", flush=True)
    sys.exit(1 if report.failures else 0)


def build_sections(
    report: Report, data: Path, folder: Path | None, name: str, seconds: float
) -> dict[str, Callable[[Report], None]]:
    """Each section by its name, ready to run."""
    import torch

    from benchmarks.gpu import right, speed, whole
    from benchmarks.gpu.texts import read_sets
    from benchmarks.gpu.training import training
    from benchmarks.gpu.ways import Device
    from benchmarks.lib.shipped import SHIPPED
    from model.checkpoint import load_checkpoint
    from model.engine.cuda import TILES, unfit
    from model.text import TextEncoder

    where = torch.device(name)
    gpu = where.type == "cuda"
    checkpoint = load_checkpoint(folder or SHIPPED)
    pool = whole.tokeniser_pool(checkpoint)  # forked: before CUDA is touched
    device = Device(where, (1, 32, 1024, 16_384) if gpu else (1, 4), seconds if gpu else 0.01)
    encoder = TextEncoder(checkpoint.tokenizer, max_tokens=checkpoint.config.max_tokens if gpu else 12)
    sets = read_sets(data, encoder, 4096 if gpu else 4)
    report.facts |= facts(name)
    network = checkpoint.build_network().requires_grad_(False)
    sections: dict[str, Callable[[Report], None]] = {
        "right": lambda r: right.kernels_are_right(r, device, speed.SWEEP if gpu else TILES[:1]),
        "labels": lambda r: right.labels_stay(r, device, checkpoint, sets, 2000 if gpu else 4),
        "ceilings": partial(speed.ceilings, device=device),
        "shares": lambda r: speed.shares(r, device, network, sets),
        "table": lambda r: speed.table(r, device, network, sets, 60.0),
        "sweep": lambda r: speed.sweep(r, device, network, sets[0]),
        "texts": lambda r: whole.end_to_end(r, device, checkpoint, sets, pool),
        "http": lambda r: whole.http(r, device, folder or SHIPPED, data, 4.0 if gpu else 1.0),
        "training": lambda r: training(r, device, data, 52.0),
    }
    if (reason := unfit(network.architecture, device.half)) is not None:
        sections |= {section: partial(Report.add, left_out=reason) for section in OF_THE_KERNELS}
    return sections


def facts(name: str) -> dict[str, str | float]:
    """Describes card, driver and versions."""
    import torch

    from training.provenance import describe_machine

    found: dict[str, str | float] = {"machine": describe_machine(), "python": sys.version.split()[0]}
    for package in ("torch", "triton", "numpy"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    if name.startswith("cuda"):
        card = torch.cuda.get_device_properties(name)
        found["card"] = (
            f"{card.name}, {card.multi_processor_count} multiprocessors, {card.total_memory / 2**30:.0f} GiB"
        )
        found["cudnn"] = str(torch.backends.cudnn.version())
    return found


if __name__ == "__main__":
    main()

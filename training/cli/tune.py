"""`python -m training tune`."""

import shlex
import sys
from functools import partial
from pathlib import Path
from typing import Any

import click

from training.cli.group import INTERRUPTED
from training.cli.options import DEVICE, FILE, THREADS, UNLABELED, data_options, setting_options
from training.interrupt import StopRequest


@click.command()
@partial(data_options, test=False)
@UNLABELED
@setting_options
@click.option(
    "--space",
    "space_file",
    type=FILE,
    help="TOML file of the settings to search.  [default: training/experiments/space.toml, an example]",
)
@click.option(
    "--budget-s",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    required=True,
    help="Time for the whole search; give at least five times what one training takes.",
)
@click.option("--output", type=FILE, required=True, help="The folder to write.")
@click.option("--resume", is_flag=True, help="Go on with the search at --output, with the same settings.")
@click.option("--overwrite", is_flag=True, help="Replace the search at --output.")
@DEVICE
@THREADS
def tune(
    output: Path,
    space_file: Path | None,
    budget_s: float,
    resume: bool,
    overwrite: bool,
    device: str,
    **options: Any,
) -> None:
    """Searches for better settings, within a time and by validation alone.

    The settings as given are trained first and in full. Then others are drawn at random from a space, trained for a
    ninth of the epochs, the best third of them for a third, and the best of those in full (successive halving). There
    is no --test, and a test file that a recipe names is not read. What --set sets is not searched.

    OUTPUT gets best.toml for train --config, tuning.json with every trial, and a table in Markdown. Ctrl-C stops; the
    same command with --resume goes on, also after the time is up, with a larger --budget-s.

    \b
    python -m training tune --train reviews.csv --budget-s 3600 --output tuned
    python -m training train --config tuned/best.toml --test test.csv --output checkpoints/reviews
    """
    from training.config.request import PROGRAM, CallOptions
    from training.evaluation.report import make_console
    from training.experiments.space import DEFAULT_SPACE, read_space, without
    from training.experiments.tune import BEST, run_search

    space = without(read_space(space_file or DEFAULT_SPACE), options["settings"])
    words = [*(["--space", space_file.name] if space_file else []), "--budget-s", f"{budget_s:g}"]
    with StopRequest() as stop:
        finished = run_search(
            CallOptions(output=output, command="tune", further=words, **options).request(),
            space,
            output,
            budget_s=budget_s,
            should_stop=lambda: bool(stop),
            resume=resume,
            overwrite=overwrite,
            device=device,
            console=make_console(),
        )
    words = [*PROGRAM, "train", "--config", str(output / BEST), "--output", str(output / "checkpoint")]
    words += ["--device", device] if device != "auto" else []
    click.echo(f"to train with the best settings: {shlex.join(words)}")
    click.echo("these networks began at random; train without --config may begin with the shipped encoder: try both")
    if not finished:
        click.echo("stopped; the same command with --resume goes on", err=True)
        sys.exit(INTERRUPTED)

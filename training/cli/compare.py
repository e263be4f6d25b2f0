"""`python -m training compare`."""

from typing import Any

import click

from training.cli.options import DEVICE, FILE, THREADS, Listed, data_options, recipe_options
from training.errors import UsageError


@click.command()
@data_options
@recipe_options
@click.option("--only", type=Listed(), default=(), help="Fit only these methods, with commas between them.")
@click.option(
    "--seeds", type=Listed(), default="0,1,2", show_default=True, help="Fit each network once with each seed."
)
@click.option(
    "--budget-s",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    help="Time for each fit: a network does as many epochs as fit in, at least one.  [default: no limit; fastText 60]",
)
@click.option("--output", type=FILE, required=True, help="The folder to write.")
@click.option("--resume", is_flag=True, help="Go on after the last fit in --output.")
@click.option("--overwrite", is_flag=True, help="Replace the comparison at --output.")
@DEVICE
@THREADS
def compare(
    only: tuple[str, ...],
    seeds: tuple[str, ...],
    budget_s: float | None,
    resume: bool,
    overwrite: bool,
    device: str,
    **options: Any,
) -> None:
    """Sets methods beside each other on the same texts: accuracy, calibration, time, size and speed.

    Baselines: tfidf (logistic regression), nbsvm, fasttext (if its package is installed), average (of embeddings).
    Networks: rnn, lstm (forward only), bilstm, stacked, gru, peephole, layernorm, sru, cnn (in front), attention,
    ngrams.

    All choosing is done on validation; the test file is read once a fit. OUTPUT gets comparison.json, a table in
    Markdown and plots. Ctrl-C stops; --resume goes on after the last finished fit.

    \b
    python -m training compare --train reviews.csv --test test.csv --budget-s 300 --output comparison
    """
    from training.config.request import CallOptions
    from training.evaluation.report import make_console
    from training.experiments.compare import run_comparison

    numbers = _parse_seeds(seeds)
    words = ["--only", ",".join(only)] * bool(only) + ["--seeds", ",".join(map(str, numbers))]
    words += [] if budget_s is None else ["--budget-s", f"{budget_s:g}"]
    run_comparison(
        CallOptions(command="compare", further=words, **options).request(),
        options["output"],
        only=only,
        seeds=numbers,
        budget_s=budget_s,
        resume=resume,
        overwrite=overwrite,
        device=device,
        console=make_console(),
    )


def _parse_seeds(seeds: tuple[str, ...]) -> list[int]:
    if not seeds or not all(seed.isascii() and seed.isdigit() for seed in seeds):
        raise UsageError(f"--seeds {','.join(seeds)}: whole numbers with commas between them, for example 0,1,2")
    if large := [seed for seed in seeds if int(seed) >= 2**32]:
        raise UsageError(f"--seeds {','.join(seeds)}: {large[0]} is too large; the largest seed is {2**32 - 1}")
    return list(dict.fromkeys(map(int, seeds)))

"""`python -m training average`."""

from pathlib import Path

import click

from training.cli.options import DATA_ROOT, DEVICE, FILE, THREADS


@click.command()
@click.argument("checkpoints", type=FILE, nargs=-1, required=True)
@click.option("--output", type=FILE, required=True, help="The folder to write.")
@click.option(
    "--config",
    "config_file",
    type=FILE,
    help="Settings of the first checkpoint's run, which name the texts that calibrate and score the mean.  [default: "
    "the .train_config.toml that this run wrote beside it]",
)
@DATA_ROOT
@click.option("--overwrite", is_flag=True, help="Replace OUTPUT.")
@DEVICE
@THREADS
def average(
    checkpoints: tuple[Path, ...],
    output: Path,
    config_file: Path | None,
    data_root: Path,
    overwrite: bool,
    device: str,
) -> None:
    """Makes one checkpoint of several: the mean of their weights.

    CHECKPOINTS are runs of train or distill that began with the same layers (--start), have the same --validation, and
    differ in seed, settings or texts. Their mean is often better than each of them (a "model soup"), and as fast and
    small as one. Compare it on validation texts before you take it.

    \b
    python -m training train --start runs/reviews --drop-old-labels --train new.csv --validation dev.csv --seed 1 \\
        --output runs/one
    python -m training train --start runs/reviews --drop-old-labels --train new.csv --validation dev.csv --seed 2 \\
        --output runs/two
    python -m training average runs/one runs/two --output runs/mean
    """
    from training.cli.runs import print_result
    from training.config.request import CallOptions, check_output
    from training.evaluation.report import make_console
    from training.runs.average import average as run_average
    from training.runs.classifier import SETTINGS
    from training.runs.session import Session

    config_file = config_file or checkpoints[0].with_name(f"{checkpoints[0].name}{SETTINGS}")
    call = CallOptions(
        output=output,
        command="average",
        data_root=data_root,
        config_file=config_file,
        further=[folder.name for folder in checkpoints],
    )
    session = Session(output=output, console=make_console(), device=device)
    check_output(output, unfinished=session.run.exists, resume=False, overwrite=overwrite)
    print_result(run_average(call.request(), checkpoints, session), call)

"""What `train` and `distill` have in common: a run begins or goes on, and its end is told."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from training.cli.group import INTERRUPTED

if TYPE_CHECKING:
    from training.artifacts.record import Record
    from training.artifacts.run_folder import RunFolder
    from training.fit.parallel import Processes


def carry_out(
    command: str,
    function: Any,
    output: Path,
    device: str,
    threads: int | None,
    *,
    resume: bool,
    overwrite: bool,
    options: dict[str, Any],
) -> None:
    """Begins or takes up a run of `train` or `distill`, and tells how it ended; with others, if `torchrun` started it.

    Of several processes only the first judges the call and speaks. The others wait until it has begun the run, and
    take it up in silence.
    """
    from training.artifacts.run_folder import RunFolder
    from training.config.request import CallOptions, check_output, new_request, resume_command, resumed_request
    from training.evaluation.report import make_console
    from training.fit.parallel import joined
    from training.launch import Launch

    run = RunFolder(output)
    with joined(Launch.from_env(os.environ), device) as (processes, own_device):
        if not processes.is_first:
            _follow(function, run, output, own_device, processes)
            return
        call = CallOptions(output=output, command=command, num_processes=processes.count, **options)
        check_output(output, unfinished=run.exists, resume=resume, overwrite=overwrite)
        going_on = resume and run.exists
        request = resumed_request(run.request(), call) if going_on else new_request(call)
        record = function(
            request, output, resume=going_on, device=own_device, console=make_console(), processes=processes
        )
    if record is None:
        go_on = resume_command(output, device, threads, command, processes.count)
        click.echo(f"stopped; to go on: {go_on}", err=True)
        sys.exit(INTERRUPTED)
    _tell_result(record, output)


def _follow(function: Any, run: "RunFolder", output: Path, device: str, processes: "Processes") -> None:
    from rich.console import Console

    from training.errors import RunError

    try:
        processes.meet()
    except RunError:  # the first process has given up, and has said why
        return
    function(run.request(), output, resume=True, device=device, console=Console(quiet=True), processes=processes)


def _tell_result(record: "Record", output: Path) -> None:
    from training.evaluation.report import make_console, print_evaluation

    console = make_console()
    for role, evaluation in record.evaluations.items():
        console.print(f"\n{role}:")
        print_evaluation(console, evaluation)
    calibration = record.calibration
    console.print(f"\ntraining accuracy {record.training_accuracy:.4f}; temperature {calibration.temperature:.3f}, "
                  f"validation ECE {calibration.ece_before:.4f} before, {calibration.ece_after:.4f} after")  # fmt: skip
    for warning in record.warnings:
        console.print(f"warning: {warning}", markup=False)
    console.print(f"wrote {output}", markup=False)

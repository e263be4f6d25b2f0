"""What `train` and `distill` have in common: a run begins or goes on, and its end is told."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from training.cli.group import INTERRUPTED

if TYPE_CHECKING:
    from training.record import Record


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
    """Begins or takes up a run of `train` or `distill`, and tells how it ended."""
    from training.report import make_console
    from training.request import CallOptions, check_output, new_request, resume_command, resumed_request
    from training.runs import RunFolder

    call = CallOptions(output=output, command=command, **options)
    run = RunFolder(output)
    check_output(output, unfinished=run.exists, resume=resume, overwrite=overwrite)
    going_on = resume and run.exists
    request = resumed_request(run.request(), call) if going_on else new_request(call)
    record = function(request, output, resume=going_on, device=device, console=make_console())
    if record is None:
        click.echo(f"stopped; to go on: {resume_command(output, device, threads, command)}", err=True)
        sys.exit(INTERRUPTED)
    _tell_result(record, output)


def _tell_result(record: "Record", output: Path) -> None:
    from training.report import make_console, print_evaluation

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

"""Begins or resumes a run of train, distill or pretrain, and prints how it ended."""

import dataclasses
import os
import sys
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from training.cli.group import INTERRUPTED

if TYPE_CHECKING:
    from training.artifacts.record import Record
    from training.config.request import Call
    from training.runs.session import Session


def carry_out(
    run: Callable[[Any, "Session"], Any], call_kind: type[Any], kind: type[Any], options: dict[str, Any]
) -> tuple[Any, "Call"]:
    """Begins or resumes a run, together with other processes if `torchrun` started them.

    Of several processes only the first judges the call, reads the data and prints. The others get their part from it,
    and follow in silence. An interrupted run ends the program with the command that goes on.

    Args:
        run: from a request and a session to a record, or to None if there is none.
        call_kind: class of its call.
        kind: class of its request.
        options: every option of the command by name, and its name as `command`.

    Returns:
        The record, None in a process that is not the first; and the call.
    """
    from training.config.request import check_output, resume_command, resumed_request
    from training.evaluation.report import make_console
    from training.fit.parallel import joined
    from training.launch import Launch
    from training.runs.classifier import follow
    from training.runs.session import Session
    from training.tracking.run_log import open_logs

    launch = Launch.from_env(os.environ)
    device, threads, resume, overwrite = (options.pop(name) for name in ("device", "threads", "resume", "overwrite"))
    logs, console = options.pop("logs", ()), make_console()
    call = call_kind(num_processes=launch.count, **options)
    given = click.get_current_context().obj or {}  # a test's own stop or number format
    with joined(launch, device) as (processes, own_device):
        session = Session(output=call.output, console=console, device=own_device, processes=processes, **given)
        if not processes.is_first:
            follow(session)
            return None, call
        unfinished = session.run.exists
        check_output(call.output, unfinished=unfinished, resume=resume, overwrite=overwrite)
        with open_logs(logs, call.output.name, partial(console.print, markup=False)) as log:
            session = dataclasses.replace(session, log=log)
            if resume and unfinished:
                request = resumed_request(session.run.request(kind), call)
                record = run(request, dataclasses.replace(session, resume=True))
            else:
                record = run(call.request(), session)
    if record is None:
        click.echo(f"stopped; to go on: {resume_command(call, device, threads, logs)}", err=True)
        sys.exit(INTERRUPTED)
    return record, call


def train_classifier(run: Callable[[Any, "Session"], Any], command: str, options: dict[str, Any]) -> None:
    """Carries out train or distill and prints the scores.

    Args:
        run: as of `carry_out`.
        command: its name.
        options: every option of the command by name.
    """
    from training.config.request import CallOptions, Request

    record, call = carry_out(run, CallOptions, Request, {"command": command, **options})
    if record is not None:
        print_result(record, call)


def print_result(record: "Record", call: "Call") -> None:
    """Prints the scores of each role, calibration, warnings and the folder."""
    from training.evaluation.report import make_console, print_evaluation

    console = make_console()
    for role, evaluation in record.evaluations.items():
        console.print(f"\n{role}:")
        print_evaluation(console, evaluation)
    calibration = record.calibration
    chinese = calibration.chinese_temperature
    temperature = f"{calibration.temperature:.3f}" + ("" if chinese is None else f" ({chinese:.3f} of Chinese texts)")
    console.print(f"\ntraining accuracy {record.training_accuracy:.4f}; temperature {temperature}, "
                  f"validation ECE {calibration.ece_before:.4f} before, {calibration.ece_after:.4f} after")  # fmt: skip
    for warning in record.warnings:
        console.print(f"warning: {warning}", markup=False)
    console.print(f"wrote {call.output}", markup=False)

"""Command line of the server, of API keys and of explanations: `python -m app`."""

from app.process.reloads import hold_reloads, take_hangups
from app.process.standard_files import open_standard_files

if __name__ == "__main__":
    open_standard_files()
    hold_reloads()  # before the imports, which take half a second

import logging
import os
import socket
import sys
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import click
import msgspec
from pydantic_core import PydanticUndefined

from app.auth.keys import new_key, read_keys
from app.bulk.errors import BulkError, check_pyarrow
from app.config.machine import available_cpus
from app.config.settings import OPTIONS, Settings, env_name, flag_name
from app.core import log
from app.explain.terminal import explained, lines_of
from app.process.exits import CALL_WRONG, exit_codes
from app.process.listening import listen, removed_at_end, url_of
from app.process.start import begin
from app.process.workers import Supervisor
from app.telemetry.tracing import check_installed
from model.explain.explanation import Options, Unexplained

logger = logging.getLogger(__name__)


@click.group(help="Sluice: serve text classifiers over HTTP, and explain what they say.")
@click.pass_context
def cli(context: click.Context) -> None:
    """Group of all commands. Only the server reloads; the others end with the terminal that they run in."""
    if context.invoked_subcommand != serve.name:
        take_hangups()


def _settings_options(command: Callable[..., None]) -> Callable[..., None]:
    """Adds a flag for each setting. Values stay text: the settings check them, wherever they come from."""
    for name, option in reversed(list(OPTIONS.items())):
        field, default = option.field, option.field.default
        shown = "" if default in (PydanticUndefined, None, "", (), {}) else f"; default: {_default_text(default)}"
        form: dict[str, Any] = {"multiple": name in _LISTS, "metavar": _LISTS.get(name, "VALUE")}
        if field.annotation is bool:
            form = {"flag_value": "true"}  # it can only be true, so it takes no value
        help_text = f"{field.description}  [{env_name(name)}{shown}]"
        command = click.option(flag_name(name), name, help=help_text, **form)(command)
    return command


_LISTS = {
    "model": "NAME=PATH",
    "canary": "NAME=PATH@SHARE",
    "shadow": "NAME=PATH@SHARE",
    "cors_origin": "ORIGIN",
    "trusted_proxy": "NETWORK",
}
"""Forms of the settings whose flag may be repeated."""


def _default_text(default: Any) -> str:
    return "checkpoints/sentiment" if isinstance(default, dict) else str(default).lower()


@cli.command()
@_settings_options
def serve(**flags: Any) -> None:
    """Serve checkpoints over HTTP until a signal comes.

    SIGTERM makes the server unready, waits --drain-delay-s, finishes what is in flight and leaves with code 0. Code 2:
    the call, a setting or a checkpoint was wrong. Code 1: the run failed. SIGHUP loads what has changed in the folders
    of the models, while serving; a checkpoint that cannot be used changes nothing.
    """
    given = {
        name: ",".join(value) if isinstance(value, tuple) else value
        for name, value in flags.items()
        if value not in (None, ())
    }
    with exit_codes():
        settings = Settings.from_env(os.environ, given)
        if settings.telemetry.otel_endpoint is not None:
            check_installed()  # once, before there are several processes
        log.configure(settings.telemetry.log_level)
        read_keys(settings.keys.api_keys, settings.keys.api_keys_file)  # a wrong key stops the start
        workers = settings.compute.workers
        sock = listen(settings.network, settings.connections)
        extra = {"url": url_of(sock), "models": list(settings.models.paths), "workers": workers}
        with removed_at_end(sock):
            if workers == 1:
                _serve_alone(settings, sock, partial(logger.info, "listening", extra=extra))
            else:
                from app.main import work

                logger.info("listening", extra=extra)
                raise SystemExit(Supervisor(workers, sock, partial(work, settings)).run())


def _serve_alone(settings: Settings, sock: socket.socket, listening: Callable[[], object]) -> None:
    """Serves as the only process; calls `listening` when requests will be answered soon."""
    loader, forked = begin(settings.models, settings.compute, settings.explain, settings.telemetry.log_level)
    # Imported while the first model loads: half of all that a server imports.
    from app.main import create_app
    from app.process.server import run
    from app.process.service import build_service

    listening()
    service = build_service(settings, loader, forked=forked)
    run(create_app(service), service, sock)


@cli.command()
@click.argument("name")
@click.option(
    "--role", "roles", multiple=True, metavar="ROLE", help="predict (the default), metrics or admin; repeat it."
)
@click.option("--rate", metavar="NUMBER", help="Texts a second in the long run; a request without texts counts as one.")
@click.option("--burst", metavar="NUMBER", help="Texts that may come at once; the default is a second's worth.")
def key(name: str, roles: tuple[str, ...], rate: str | None, burst: str | None) -> None:
    """Make an API key called NAME.

    The line for --api-keys-file goes to standard output, the secret to standard error: `python -m app key search >>
    keys` stores the one and shows the other. Nobody can show the secret again.
    """
    options = {"roles": ",".join(roles) if roles else None, "rate": rate, "burst": burst}
    with exit_codes():
        # An empty value is told as a wrong one: `--rate "$RATE"` without RATE is no key without a limit.
        secret, made = new_key(name, [f"{option}={value}" for option, value in options.items() if value is not None])
        click.echo(f"The key, for its owner: {secret}", err=True)
        click.echo(made.line())


@cli.command()
@click.argument("checkpoint", type=click.Path(path_type=Path))
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="INPUT...")
@click.option("--output", required=True, metavar="PATH", help="File to write, or folder if it ends in a slash.")
@click.option("--format", metavar="FORMAT", help="parquet, csv, tsv or jsonl; by default the ending of --output.")
@click.option("--text-column", metavar="NAME", help="By default found; several with commas between are joined.")
@click.option("--sheet", metavar="NAME", help="Of a spreadsheet; by default the first that has the columns.")
@click.option("--keep", multiple=True, metavar="COLUMN", help="Column to write along; by default all. Repeat it.")
@click.option("--only", is_flag=True, help="Write the new columns alone.")
@click.option("--scores", is_flag=True, help="Also write the probability of each label.")
@click.option("--prefix", default="", metavar="TEXT", help="Of the names of the new columns: label, score, scores.")
@click.option("--device", default="auto", metavar="DEVICE", help="auto, cpu, cuda or cuda:N.")
@click.option("--dtype", default="auto", metavar="TYPE", help="auto, int8, float32 or bfloat16, as of serve.")
@click.option(
    "--threads", type=click.IntRange(min=1), default=available_cpus, help="Threads; by default one a processor."
)
@click.option("--overwrite", is_flag=True, help="Replace what is there, and begin anew.")
def predict(
    checkpoint: Path,
    device: str,
    dtype: str,
    threads: int,
    keep: tuple[str, ...],
    only: bool,
    **options: Any,
) -> None:
    """Label the texts of files by CHECKPOINT, all rows in their order.

    INPUT is CSV, TSV, JSON, Parquet, Arrow or a spreadsheet, a pattern, a folder, an address such as s3://bucket/path,
    or - for standard input. Rows that cannot be read or have no text go to OUTPUT.bad.jsonl, with the cause. A run that
    was stopped goes on when the same command is given again.

    Example: python -m app predict checkpoints/sentiment reviews.parquet --output scored.parquet
    """
    with exit_codes():
        check_pyarrow()
        from app.bulk.run import Call
        from app.bulk.terminal import predict_files

        if only and keep:
            raise BulkError("--only and --keep cannot both be: --only keeps no column")
        call = Call(keep=() if only else keep or None, **options)
        predict_files(checkpoint, call, device=device, dtype=dtype, threads=threads)


def _units(_context: click.Context, _option: click.Parameter, value: str) -> list[int]:
    try:
        return [int(unit) for unit in value.split(",") if unit.strip()]
    except ValueError:
        raise click.BadParameter("give whole numbers with commas between, such as 3,17") from None


@cli.command()
@click.argument("checkpoint", type=click.Path(path_type=Path))
@click.argument("texts", nargs=-1)
@click.option("--label", metavar="LABEL", help="Label to explain; by default each text's most probable one.")
@click.option("--gates", is_flag=True, help="Also show the gates of each layer and direction.")
@click.option("--units", default="", metavar="N,N,…", callback=_units, help="Also show the gates of up to 8 units.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a text and line, as POST /explain has it.")
@click.option(
    "--threads",
    type=click.IntRange(min=1),
    default=available_cpus,
    help="Threads; by default one a processor.",
)
def explain(
    checkpoint: Path,
    texts: tuple[str, ...],
    label: str | None,
    gates: bool,
    units: list[int],
    as_json: bool,
    threads: int,
) -> None:
    """Explain the label that CHECKPOINT gives to each of TEXTS, or to each line of the input, word by word.

    The first number of a word is its share of the log-odds by integrated gradients, with a bar to the right if it
    speaks for the label; the second is what the log-odds lose without the word. Then come the scores of the sentences.
    Code 2: the call or the checkpoint was wrong, or a text could not be explained.
    """
    lines: Iterable[str] = texts or (line.decode("utf-8", "replace") for line in sys.stdin.buffer)
    options = Options(label=label, gates=gates, units=units)
    whole = True
    with exit_codes():
        for text, found in explained(
            checkpoint, (line.rstrip("\n") for line in lines if line.strip()), options, threads
        ):
            whole = whole and not isinstance(found, Unexplained)
            shown = [msgspec.json.encode(found).decode()] if as_json else [*lines_of(text, found), ""]
            click.echo("\n".join(shown))
    if not whole:
        raise SystemExit(CALL_WRONG)


if __name__ == "__main__":
    cli(prog_name="python -m app")

"""`python -m app`: the command line of the server."""

import logging
import os
from collections.abc import Callable
from typing import Any

import click
from pydantic_core import PydanticUndefined

from app import log
from app.main import create_app
from app.server import exit_codes, listen, run, work
from app.settings import Settings, env_name, flag_name
from app.tracing import check_installed
from app.workers import Supervisor

logger = logging.getLogger(__name__)


@click.group(help="Sluice: serve text classifiers over HTTP.")
def cli() -> None:
    """The commands."""


def _settings_options(command: Callable[..., None]) -> Callable[..., None]:
    """A flag for each field of `Settings`. Values stay text: the settings check them, wherever they come from."""
    for name, field in reversed(Settings.model_fields.items()):
        default = field.default
        shown = "" if default is PydanticUndefined else f"; default: {_default_text(default)}"
        command = click.option(
            flag_name(name),
            name,
            multiple=name == "model",
            metavar="NAME=PATH" if name == "model" else "VALUE",
            help=f"{field.description}  [{env_name(name)}{shown}]",
        )(command)
    return command


def _default_text(default: Any) -> str:
    return "checkpoints/sentiment" if isinstance(default, dict) else str(default)


@cli.command()
@_settings_options
def serve(**flags: Any) -> None:
    """Serve checkpoints over HTTP until a signal comes.

    SIGTERM makes the server unready, waits --drain-delay-s, finishes what is in flight and leaves with code 0. Code 2:
    the call, a setting or a checkpoint was wrong. Code 1: the run failed.
    """
    given = {name: ",".join(value) if name == "model" else value for name, value in flags.items() if value}
    with exit_codes():
        settings = Settings.from_env(os.environ, given)
        if settings.otel_endpoint is not None:
            check_installed()  # once, before there are several processes
        log.configure(settings.log_level)
        sock = listen(settings)
        host, port = sock.getsockname()[:2]
        extra = {"url": f"http://{host}:{port}", "models": list(settings.model), "workers": settings.workers}
        logger.info("listening", extra=extra)
        if settings.workers == 1:
            run(create_app(settings), settings, sock)
        else:
            raise SystemExit(Supervisor(settings, sock, work).run())


if __name__ == "__main__":
    cli(prog_name="python -m app")

"""`python -m app`: the command line of the server."""

import logging
import os
from collections.abc import Callable
from typing import Any, NoReturn

import click
from pydantic_core import PydanticUndefined

from app import log
from app.errors import SettingsError
from app.main import create_app
from app.server import listen, run
from app.settings import Settings, env_name, flag_name
from model.errors import ModelError

logger = logging.getLogger(__name__)

RUN_FAILED = 1
CALL_WRONG = 2


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
    try:
        settings = Settings.from_env(os.environ, given)
        log.configure(settings.log_level)
        sock = listen(settings)
        host, port = sock.getsockname()[:2]
        logger.info("listening", extra={"url": f"http://{host}:{port}", "models": list(settings.model)})
        run(create_app(settings), settings, sock)
    except (SettingsError, ModelError) as error:
        _leave(str(error), CALL_WRONG)
    except Exception as error:
        _leave(f"{type(error).__name__}: {error}", RUN_FAILED)


def _leave(sentence: str, code: int) -> NoReturn:
    click.echo(f"Error: {sentence}", err=True)
    raise SystemExit(code)


if __name__ == "__main__":
    cli(prog_name="python -m app")

"""`python -m app`: the command line of the server."""

import logging
import os
from collections.abc import Callable
from typing import Any

import click
from pydantic_core import PydanticUndefined

from app import log
from app.keys import new_key, read_keys
from app.main import create_app
from app.server import exit_codes, hold_reloads, listen, run, work
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
        shown = "" if default in (PydanticUndefined, None, "", (), {}) else f"; default: {_default_text(default)}"
        # A flag that can only be true takes no value.
        form: dict[str, Any] = {"flag_value": "true"} if field.annotation is bool else _FORMS.get(name, _VALUE)
        help_text = f"{field.description}  [{env_name(name)}{shown}]"
        command = click.option(flag_name(name), name, help=help_text, **form)(command)
    return command


_VALUE: dict[str, Any] = {"metavar": "VALUE"}
_FORMS: dict[str, dict[str, Any]] = {
    "model": {"multiple": True, "metavar": "NAME=PATH"},
    "canary": {"multiple": True, "metavar": "NAME=PATH@SHARE"},
    "shadow": {"multiple": True, "metavar": "NAME=PATH@SHARE"},
    "cors_origin": {"multiple": True, "metavar": "ORIGIN"},
    "trusted_proxy": {"multiple": True, "metavar": "NETWORK"},
}


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
    given = {name: ",".join(value) if isinstance(value, tuple) else value for name, value in flags.items() if value}
    with exit_codes():
        settings = Settings.from_env(os.environ, given)
        if settings.otel_endpoint is not None:
            check_installed()  # once, before there are several processes
        log.configure(settings.log_level)
        read_keys(settings.api_keys, settings.api_keys_file)  # what is wrong with them is said before anything begins
        sock = listen(settings)
        host, port = sock.getsockname()[:2]
        extra = {"url": f"http://{host}:{port}", "models": list(settings.model), "workers": settings.workers}
        hold_reloads()
        logger.info("listening", extra=extra)
        if settings.workers == 1:
            run(create_app(settings), settings, sock)
        else:
            raise SystemExit(Supervisor(settings, sock, work).run())


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
    options = {"roles": ",".join(roles), "rate": rate, "burst": burst}
    with exit_codes():
        secret, made = new_key(name, [f"{option}={value}" for option, value in options.items() if value])
        click.echo(f"The key, for its owner: {secret}", err=True)
        click.echo(made.line())


if __name__ == "__main__":
    cli(prog_name="python -m app")

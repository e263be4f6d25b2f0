"""Turns errors into messages and exit codes."""

import errno
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click
from safetensors import SafetensorError

from model.errors import CheckpointError, ConfigError, InputError, ModelError
from tables.errors import TableError
from training.errors import TrainingError, UsageError
from training.launch import Launch

INTERRUPTED = 130

IN_PARALLEL = ("train", "distill")
"""The commands that several processes can carry out together."""


OURS = ("", "model", "tables", "training")


class Failure(click.ClickException):
    """The run failed; the user is told why in a sentence, without a traceback."""

    exit_code = 1

    def __init__(self, error: Exception) -> None:
        super().__init__(_sentence(error))


class Misuse(Failure):
    """The call or its input was wrong."""

    exit_code = 2


class _Sentences(logging.Handler):
    """Prints what a reader says of a file to stderr, the same sentence once."""

    def __init__(self) -> None:
        super().__init__()
        self._said: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        """Prints a record that was not printed before."""
        sentence = record.getMessage()
        if sentence not in self._said:
            self._said.add(sentence)
            click.echo(sentence, err=True)


@contextmanager
def told_readings(launch: Launch) -> Iterator[None]:
    """Prints a line for each data file that is read, in the first of several processes."""
    logger = logging.getLogger("tables")
    handler, level = _Sentences(), logger.level
    if launch.rank == 0:
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


class Commands(click.Group):
    """Turns expected errors into messages and exit codes; a bug keeps its traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        """Runs a command and translates its errors."""
        try:
            with told_readings(Launch.from_env(os.environ)):
                return super().invoke(ctx)
        except (UsageError, TableError, CheckpointError, ConfigError, InputError) as error:
            raise Misuse(error) from error
        except (TrainingError, ModelError, OSError, SafetensorError, MemoryError) as error:
            raise Failure(error) from error
        except ModuleNotFoundError as error:
            raise _not_installed(error) from error
        except KeyboardInterrupt:
            click.echo("interrupted", err=True)
            ctx.exit(INTERRUPTED)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Finds the command of the call.

        Raises:
            UsageError: `torchrun` started several processes, and this command is for one.
        """
        name, command, rest = super().resolve_command(ctx, args)
        launch = Launch.from_env(os.environ)
        if launch.count > 1 and name not in IN_PARALLEL:
            if launch.rank:
                ctx.exit(0)  # the first process tells it
            raise UsageError(f"torchrun is for {' and '.join(IN_PARALLEL)}; {name} runs without it, as one process")
        return name, command, rest


def _not_installed(error: ModuleNotFoundError) -> Exception:
    """The sentence for a package of others that is not there; a module of ours is a bug, and stays as it is."""
    package = (error.name or "").partition(".")[0]
    if package in OURS:
        return error
    return Misuse(ConfigError(f"{package} is not installed: training needs requirements/training.txt (make setup)"))


def _sentence(error: Exception) -> str:
    """A sentence with the cause and its place. A full disk is an `OSError`, or the words of safetensors."""
    if isinstance(error, OSError) and error.strerror:
        said = f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    else:
        said = str(error) or type(error).__name__
    full = os.strerror(errno.ENOSPC) in said
    remedy = "Free some space, then give the same command again, with --resume where it has that option"
    return f"{said}. {remedy}" if full else said

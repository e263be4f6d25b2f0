"""How an error becomes a message and an exit code."""

from typing import Any

import click

from model.errors import CheckpointError, ConfigError, InputError, ModelError
from training.errors import TrainingError, UsageError

INTERRUPTED = 130


class Failure(click.ClickException):
    """The run failed; the user is told why in a sentence, without a traceback."""

    exit_code = 1

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error) or type(error).__name__)


class Misuse(Failure):
    """The call or its input was wrong."""

    exit_code = 2


class Commands(click.Group):
    """Turns expected errors into messages and exit codes; a bug keeps its traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        """Runs a command."""
        try:
            return super().invoke(ctx)
        except (UsageError, CheckpointError, ConfigError, InputError) as error:
            raise Misuse(error) from error
        except (TrainingError, ModelError, OSError, MemoryError) as error:
            raise Failure(error) from error
        except KeyboardInterrupt:
            click.echo("interrupted", err=True)
            ctx.exit(INTERRUPTED)

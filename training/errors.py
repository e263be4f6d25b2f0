"""Errors of the pipeline, as one tree. The message is for the person who typed the command.

TrainingError
├── UsageError             the call or its input is wrong (exit code 2)
│   └── DataError                 a data file can be read but not used; is a TableError too, and worded like one
└── RunError               the run failed although its input was right (exit code 1)
    └── DivergedError             a gradient is not finite; the weights are those before the step

A file that cannot be read is a `tables.errors.TableError` (exit code 2).
"""

from tables.errors import TableError


class TrainingError(Exception):
    """Root of every error that `training` raises on purpose."""


class UsageError(TrainingError):
    """The call, its configuration or its input is wrong; nothing was trained."""


class RunError(TrainingError):
    """The run failed although its input was right."""


class DivergedError(RunError):
    """A gradient is not finite. The weights and the state are those before the step."""


class DataError(TableError, UsageError):
    """A data file can be read but not used for training; says so in the form of `TableError`."""

"""Errors of the library, as one tree.

ModelError
├── ConfigError            a configuration contradicts itself or is out of range
├── CheckpointError        a checkpoint folder cannot be used; names the file and the cause
│   ├── CheckpointMissing        the folder or one of its files is not there
│   ├── CheckpointDamaged        a file is truncated, altered or not what its name says
│   └── CheckpointIncompatible   a newer format, or files that do not belong together
└── InputError             a text that cannot be classified
"""

from pathlib import Path


class ModelError(Exception):
    """Root of every error that `model` raises on purpose."""


class ConfigError(ModelError):
    """A configuration contradicts itself or is out of range."""


class CheckpointError(ModelError):
    """A checkpoint folder cannot be used.

    Attributes:
        path: the file or folder at fault.
        cause: what is wrong with it, as one clause.
    """

    def __init__(self, path: Path, cause: str) -> None:
        super().__init__(f"{path}: {cause}")
        self.path = path
        self.cause = cause


class CheckpointMissing(CheckpointError):
    """The folder, or a file of it, is not there."""


class CheckpointDamaged(CheckpointError):
    """A file is truncated, altered or not what its name says."""


class CheckpointIncompatible(CheckpointError):
    """The format is newer than this code, or the files do not belong together."""


class InputError(ModelError):
    """A text that cannot be classified; says why without repeating the text."""

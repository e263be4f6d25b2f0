"""Loads classifiers from checkpoint folders."""

from contextlib import suppress
from pathlib import Path
from typing import Protocol

from app.config.sections import ComputeSettings
from app.config.settings import SettingsError
from app.core.classifier import Classifier
from model.errors import CheckpointError, ModelError
from model.folder import version_at

Stamp = tuple[object, ...]
"""State of a folder; another one means that its content may have changed."""


class Loader(Protocol):
    """Source of classifiers. Every method takes time: call it off the event loop."""

    def version(self, path: Path) -> str:
        """Reads the version that the folder holds now.

        Raises:
            CheckpointError: the folder holds no checkpoint.
        """

    def stamp(self, path: Path) -> Stamp:
        """Reads the state of the folder, to compare with an earlier one."""

    def load(self, path: Path, *, spare: bool) -> Classifier:
        """Verifies a checkpoint, puts it onto the device and warms it. Takes a second or more.

        Args:
            spare: use one thread only, since requests are answered meanwhile.

        Raises:
            ModelError: the checkpoint cannot be used; says why.
        """


class Checkpoints:
    """Loads classifiers from checkpoint folders."""

    def __init__(self, settings: ComputeSettings) -> None:
        self._settings = settings

    def version(self, path: Path) -> str:
        """Reads the version from the digests alone."""
        return version_at(path)

    def stamp(self, path: Path) -> Stamp:
        """Lists name, size, inode and time of each file."""
        found = []
        with suppress(OSError):  # a folder that cannot be read has no stamp
            for file in sorted(path.iterdir()):
                stat = file.stat()
                found.append((file.name, stat.st_size, stat.st_ino, stat.st_mtime_ns))
        return tuple(found)

    def load(self, path: Path, *, spare: bool) -> Classifier:
        """Reads the folder and verifies each file."""
        # Imported here: it brings torch, which takes a second and which tests with a fake classifier do without.
        from model.classifier import Classifier as TorchClassifier
        from model.classifier import set_num_threads

        settings = self._settings
        # Two sets of PyTorch's threads on the same processors slow each other tenfold.
        set_num_threads(1 if spare else settings.threads)
        try:
            classifier = TorchClassifier.load(
                path, device=settings.device, dtype=settings.dtype, threads=settings.threads
            )
            classifier.warm_up()
        finally:
            set_num_threads(settings.threads)  # threads that are new to PyTorch begin with what was set last
        return classifier


def cause_of(error: Exception) -> str:
    """Describes in one clause why loading failed, without the path, so that clients may see it."""
    match error:
        case CheckpointError():
            return f"{error.path.name}: {error.cause}"
        case ModelError() | SettingsError():
            return str(error).removesuffix(".")
        case _:
            return f"it could not be loaded ({type(error).__name__}); the log of the server has the cause"

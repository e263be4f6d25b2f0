"""From a path to a classifier."""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from app.config.settings import Settings
from app.core.classifier import Classifier
from app.core.errors import SettingsError
from model.errors import CheckpointError, ModelError
from model.folder import version_at

Stamp = tuple[object, ...]
"""Differs once anything in a folder may have changed."""


class Loader(Protocol):
    """Where classifiers come from. All of it takes time: call it off the event loop."""

    def version(self, path: Path) -> str:
        """The version that is there now.

        Raises:
            CheckpointError: there is none.
        """

    def stamp(self, path: Path) -> Stamp:
        """What to compare to learn whether it is worth trying again."""

    def load(self, path: Path, *, spare: bool) -> Classifier:
        """Verifies what is there, puts it onto the device and warms it. Takes a second or more.

        Args:
            spare: requests are being answered meanwhile: take no more than one thread for this.

        Raises:
            ModelError: it cannot be used; says why.
        """


class Checkpoints:
    """Checkpoint folders."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def version(self, path: Path) -> str:
        """By its digests alone."""
        return version_at(path)

    def stamp(self, path: Path) -> Stamp:
        """Name, size, place and time of each file."""
        found = []
        with suppress(OSError):  # what cannot be looked at has no stamp
            for file in sorted(path.iterdir()):
                stat = file.stat()
                found.append((file.name, stat.st_size, stat.st_ino, stat.st_mtime_ns))
        return tuple(found)

    def load(self, path: Path, *, spare: bool) -> Classifier:
        """Reads the folder and checks each file."""
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


class Given:
    """Classifiers that exist already, by the name of their path. For tests, which may exchange them."""

    def __init__(self, classifiers: Mapping[str, Classifier]) -> None:
        self._classifiers = classifiers

    def version(self, path: Path) -> str:
        """The classifier's own."""
        return self._classifiers[path.name].version

    def stamp(self, path: Path) -> Stamp:
        """Which one it is."""
        return (id(self._classifiers[path.name]),)

    def load(self, path: Path, *, spare: bool) -> Classifier:
        """It is there, and warmed once more."""
        classifier = self._classifiers[path.name]
        classifier.warm_up()
        return classifier


def cause_of(error: Exception) -> str:
    """Why something could not be loaded, as one clause that may be shown: without the path, which is the operator's."""
    match error:
        case CheckpointError():
            return f"{error.path.name}: {error.cause}"
        case ModelError() | SettingsError():
            return str(error).removesuffix(".")
        case _:
            return f"it could not be loaded ({type(error).__name__}); the log of the server has the cause"

"""Loads classifiers from checkpoint folders."""

from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from threading import Thread
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
        self._begun: dict[Path, Future[Classifier]] = {}

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

    def begin(self, path: Path) -> None:
        """Starts to load on a thread of its own, for `load` to wait for: once, at the start of a process."""
        loading: Future[Classifier] = Future()
        self._begun[path] = loading

        def work() -> None:
            try:
                loading.set_result(self._load(path, spare=False))
            except Exception as error:
                loading.set_exception(error)

        Thread(target=work, name="load", daemon=True).start()

    def load(self, path: Path, *, spare: bool) -> Classifier:
        """Reads the folder and verifies each file, unless that has begun already."""
        begun = self._begun.pop(path, None)
        return self._load(path, spare=spare) if begun is None else begun.result()

    def _load(self, path: Path, *, spare: bool) -> Classifier:
        # Imported here: with the tokenizers it takes a tenth of a second, which tests with a fake classifier save.
        from model.checkpoint import load_checkpoint
        from model.classifier import Classifier as TextClassifier
        from model.classifier import needs_torch

        checkpoint, settings = load_checkpoint(path), self._settings
        reason = needs_torch(checkpoint.config.architecture, device=settings.device, dtype=settings.dtype)
        with nullcontext() if reason is None else _torch_threads(reason, settings.threads, spare=spare):
            classifier = TextClassifier(
                checkpoint, device=settings.device, dtype=settings.dtype, threads=settings.threads
            )
            classifier.warm_up()
        return classifier

    def brings_torch(self, path: Path) -> bool:
        """Reads from the configuration if this process will have to import PyTorch; False if it cannot be read."""
        from model.checkpoint import read_config
        from model.classifier import needs_torch

        settings = self._settings
        with suppress(ModelError):
            architecture = read_config(path).architecture
            return needs_torch(architecture, device=settings.device, dtype=settings.dtype) is not None
        return False


@contextmanager
def _torch_threads(reason: str, threads: int, *, spare: bool) -> Iterator[None]:
    """Bounds PyTorch's threads: two sets of them on the same processors slow each other tenfold."""
    from model.availability import require_torch
    from model.classifier import set_num_threads

    require_torch(reason)
    set_num_threads(1 if spare else threads)
    try:
        yield
    finally:
        set_num_threads(threads)  # threads that are new to PyTorch begin with what was set last


def cause_of(error: Exception) -> str:
    """Describes in one clause why loading failed, without the path, so that clients may see it."""
    match error:
        case CheckpointError():
            return f"{error.path.name}: {error.cause}"
        case ModelError() | SettingsError():
            return str(error).removesuffix(".")
        case _:
            return f"it could not be loaded ({type(error).__name__}); the log of the server has the cause"

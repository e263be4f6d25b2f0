"""Loads classifiers from checkpoint folders, and embedders from those of a pre-training."""

from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from threading import Thread
from typing import Protocol

from app.config.sections import ComputeSettings
from app.config.settings import SettingsError
from app.core.classifier import Embedder
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

    def load(self, path: Path, *, spare: bool) -> Embedder:
        """Verifies a checkpoint, puts it onto the device and warms it. Takes a second or more.

        Args:
            spare: use one thread only, since requests are answered meanwhile.

        Raises:
            ModelError: the checkpoint cannot be used; says why.
        """


class Checkpoints:
    """Loads classifiers from checkpoint folders, and embedders from those of a pre-training."""

    def __init__(self, settings: ComputeSettings) -> None:
        self._settings = settings
        self._begun: dict[Path, Future[Embedder]] = {}

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
        loading: Future[Embedder] = Future()
        self._begun[path] = loading

        def work() -> None:
            try:
                loading.set_result(self._load(path, spare=False))
            except Exception as error:
                loading.set_exception(error)

        Thread(target=work, name="load", daemon=True).start()

    def load(self, path: Path, *, spare: bool) -> Embedder:
        """Reads the folder and verifies each file, unless that has begun already."""
        begun = self._begun.pop(path, None)
        return self._load(path, spare=spare) if begun is None else begun.result()

    def _load(self, path: Path, *, spare: bool) -> Embedder:
        # Imported here: with the tokenizers it takes a tenth of a second, which tests with a fake classifier save.
        from model.classifier import Classifier, needs_torch
        from model.embedder import Embedder as VectorModel
        from model.pretrained import PretrainedEncoder, load_folder

        found, settings = load_folder(path), self._settings
        device, dtype, threads = settings.device, settings.dtype, settings.threads
        network = found.network if isinstance(found, PretrainedEncoder) else found
        reason = needs_torch(network.config.architecture, device=device, dtype=dtype)
        with nullcontext() if reason is None else _torch_threads(reason, threads, spare=spare):
            loaded = (
                VectorModel(found, device=device, dtype=dtype, threads=threads)
                if isinstance(found, PretrainedEncoder)
                else Classifier(found, device=device, dtype=dtype, threads=threads)
            )
            loaded.warm_up()
        return loaded

    def brings_torch(self, path: Path) -> bool:
        """Reads from the configuration if this process will have to import PyTorch; False if it cannot be read."""
        from model.checkpoint import read_config
        from model.classifier import needs_torch
        from model.pretrained import is_pretrained, read_encoder_config

        settings = self._settings
        with suppress(ModelError):
            encoder = is_pretrained(path)
            config = read_encoder_config(path).as_checkpoint() if encoder else read_config(path)
            architecture = config.architecture
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

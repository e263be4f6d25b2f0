"""A folder of bytes, numbers and locks that the processes of one server share; it knows no content."""

import fcntl
import mmap
import os
from collections.abc import Iterator, MutableSequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from model.files import replace


@contextmanager
def told_where() -> Iterator[None]:
    """Says in an error of the file system what it is for and what to do.

    Raises:
        OSError: that error, with the sentence.
    """
    try:
        yield
    except OSError as error:
        cause = (
            f"{error.strerror or error}; several workers share memory in /dev/shm and a folder of temporary files: "
            "make both writable, with room to spare (TMPDIR names another folder), or use --workers 1"
        )
        raise OSError(error.errno, cause, error.filename) from error


class SharedFolder:
    """State that the worker processes of one server share.

    Args:
        path: of a folder that belongs to one server only.
        loaded: one flag for each worker, shared memory: 1 once its models are loaded for the first time.
        connections: one number for each worker, shared memory: that of its connections.
        index: of this worker among them.

    Attributes:
        connections, index: the same.
    """

    def __init__(
        self,
        path: Path,
        loaded: "MutableSequence[int] | Any",
        connections: "MutableSequence[int] | Any",
        index: int,
    ) -> None:
        self._path = path
        self._numbers: dict[str, tuple[int, int]] = {}
        self._loaded = loaded
        self.connections = connections
        self.index = index

    def set_loaded(self) -> None:
        """Sets the flag of this worker."""
        self._loaded[self.index] = 1

    def all_loaded(self) -> bool:
        """True once every worker has set its flag; until then the server as a whole is not ready."""
        return all(self._loaded)

    def read(self, name: str) -> bytes | None:
        """Content of a file, None if there is none."""
        try:
            return (self._path / name).read_bytes()
        except FileNotFoundError:
            return None

    def write(self, name: str, content: bytes) -> None:
        """Replaces the content of a file: others read all of it, or what was there before.

        Raises:
            OSError: it could not be written, as when the disk is full; nothing has changed.
        """
        replace(self._path / name, content)

    def write_own(self, content: bytes) -> None:
        """Replaces the content that this process shows to the others; raises as `write` does."""
        self.write(f"{os.getpid()}.json", content)

    def others(self) -> Iterator[tuple[bytes, bool]]:
        """Content that each other process has shown, and whether that process still runs."""
        for path in self._path.glob("*.json"):
            if path.stem != str(os.getpid()):
                with suppress(FileNotFoundError):  # something has cleared the folder since
                    yield path.read_bytes(), _runs(int(path.stem))

    def number(self, name: str) -> "memoryview[float]":
        """A float that all processes share, 0 at first; it outlives the process that made it.

        Its place on the disk is taken now: a write to memory that finds none on a full disk would kill the process.

        Raises:
            OSError: there is no room for it, or no folder.
        """
        path = self._path / name
        with told_where():
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                os.pwrite(descriptor, b"\0", 8)  # behind the number, in its block
                self._numbers[name] = _identity(os.fstat(descriptor))
                return memoryview(mmap.mmap(descriptor, 8)).cast("d")
            except OSError as error:
                raise OSError(error.errno, error.strerror, str(path)) from error
            finally:
                os.close(descriptor)

    def number_moved(self, name: str) -> bool:
        """True if the file of a number in use here was removed, and others find another one in its place."""
        try:
            return _identity((self._path / name).stat()) != self._numbers[name]
        except FileNotFoundError:  # so far nobody finds any
            return False

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Holds the one lock of the folder, which other processes wait for."""
        descriptor = os.open(self._path, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def _identity(stat: os.stat_result) -> tuple[int, int]:
    """Device and number of a file, which no other one has while this one is mapped."""
    return stat.st_dev, stat.st_ino


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError:  # it is gone, or its number is another process now that is not ours
        return False
    return True

"""The folder of temporary files that workers share, kept by their parent though something clears such folders.

What clears /tmp removes what is old there, or the whole folder. The workers write their counts again each second, but
nobody else could write the counts of workers that are gone, the models that were changed while serving, and what each
API key has used.
"""

import errno
import logging
import os
from contextlib import suppress
from pathlib import Path

logger = logging.getLogger(__name__)

_UNFINISHED = ".partial"
"""Ending of a file that is being written, of others (`model.files`) and here."""


class KeptFolder:
    """A folder whose files are written again when they vanish.

    Args:
        path: of the folder, in which files are replaced as a whole and never removed.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamps: dict[str, tuple[int, int]] = {}
        self._content: dict[str, bytes] = {}
        self._failed = False

    def look(self) -> None:
        """Remembers what is new in the folder and writes again what is gone; where that fails, the next call does."""
        try:
            found = self._found()
            if found is None or self._content.keys() - found.keys():
                self._restore(found or {})
                logger.error("what the workers share in %s was removed, and is written again", self._path)
        except OSError as error:
            if not self._failed:
                message = "what the workers share in %s was removed, and cannot be written again; trying again"
                logger.error(message, self._path, extra={"cause": error.strerror})
            self._failed = True
        else:
            self._failed = False
            self._remember(found or {})

    def _found(self) -> dict[str, tuple[int, int]] | None:
        """The files by name, each with what differs once it is another; None if there is no folder."""
        found = {}
        try:
            with os.scandir(self._path) as entries:
                for entry in entries:
                    if not entry.name.endswith(_UNFINISHED):
                        with suppress(FileNotFoundError):  # it is gone since
                            stat = entry.stat()
                            found[entry.name] = stat.st_ino, stat.st_mtime_ns
        except FileNotFoundError:
            return None
        return found

    def _restore(self, found: dict[str, tuple[int, int]]) -> None:
        self._path.mkdir(mode=0o700, exist_ok=True)
        if self._path.lstat().st_uid != os.geteuid():  # somebody has taken the name in a folder that all may write to
            raise PermissionError(errno.EPERM, "it belongs to another user now")
        unfinished = self._path / f"restored{_UNFINISHED}"  # no name that a worker writes to
        for name in self._content.keys() - found.keys():
            if not (self._path / name).exists():  # else a worker was faster
                unfinished.write_bytes(self._content[name])
                unfinished.replace(self._path / name)

    def _remember(self, found: dict[str, tuple[int, int]]) -> None:
        for name, stamp in found.items():
            if self._stamps.get(name) != stamp:
                with suppress(OSError):  # it is gone since: the next call sees that
                    self._content[name] = (self._path / name).read_bytes()
                    self._stamps[name] = stamp

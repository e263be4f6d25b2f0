"""Folders of the output, on this machine or in an object store. A file there is whole or not at all."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import fs

from app.bulk.errors import BulkError
from tables.address import address_of, is_remote
from tables.errors import TableError
from tables.remote import open_store

PARTIAL = ".partial"


def place_of(path: Path | str) -> str:
    """A path or address in the one form that all ways to write it share."""
    return address_of(path) if is_remote(path) else str(Path(path).resolve())


class Store:
    """A folder of the output.

    Args:
        address: a path of this machine, or an address as in `tables.remote`.

    Raises:
        BulkError: it cannot be reached.
    """

    def __init__(self, address: str) -> None:
        self.address = address.rstrip("/") or "/"
        self._remote = is_remote(address)
        self.place = place_of(self.address)
        if self._remote:
            try:
                self._files, self._root = open_store(self.address)
            except TableError as error:
                raise BulkError(str(error)) from error
        else:
            self._files, self._root = fs.LocalFileSystem(), str(Path(address).resolve())

    def place_of(self, name: str) -> str:
        """The place of a file in the folder, as `place_of` gives it."""
        return f"{self.place}/{name}"

    def make(self) -> bool:
        """Makes the folder; false if it was there, or needs no making."""
        if self._remote or Path(self._root).is_dir():
            return False
        Path(self._root).mkdir(parents=True, exist_ok=True)
        return True

    def names(self) -> set[str]:
        """Names of the files in the folder; none if it is not there."""
        found = self._files.get_file_info(fs.FileSelector(self._root, allow_not_found=True))
        return {each.base_name for each in found if each.type == fs.FileType.File and each.extension != PARTIAL[1:]}

    def has(self, name: str) -> bool:
        """True if there is a file of this name."""
        return bool(self._files.get_file_info(self._place(name)).type == fs.FileType.File)

    def read(self, name: str) -> bytes:
        """The content of a file."""
        with self._files.open_input_stream(self._place(name)) as file:
            return file.read()  # type: ignore[no-any-return]

    def opened(self, name: str) -> Any:
        """An open file, to be read from any place and closed."""
        return self._files.open_input_file(self._place(name))

    def write(self, name: str, content: bytes) -> None:
        """Writes a file at once."""
        with self.writing(name) as file:
            file.write(content)

    @contextmanager
    def writing(self, name: str) -> Iterator[Any]:
        """Yields a stream whose content becomes the file when the block ends, unless it raises.

        A local file is renamed at the end. An object store shows an object when its upload ends; one whose upload broke
        off with an error is removed.
        """
        place = self._place(name) + ("" if self._remote else PARTIAL)
        stream: pa.NativeFile = self._files.open_output_stream(place)
        try:
            yield stream
        except BaseException:
            with suppress(OSError):  # the disk may be full
                stream.close()
                self._files.delete_file(place)
            raise
        stream.close()
        if not self._remote:
            self._files.move(place, self._place(name))

    def remove(self, name: str) -> None:
        """Removes a file, if it is there."""
        if self.has(name):
            self._files.delete_file(self._place(name))

    def remove_empty(self) -> None:
        """Removes the folder, if nothing is in it."""
        if not self._remote:
            with suppress(OSError):
                Path(self._root).rmdir()

    def remove_all(self) -> None:
        """Removes the folder, if it is there."""
        if self._files.get_file_info(self._root).type == fs.FileType.Directory:
            self._files.delete_dir(self._root)

    def _place(self, name: str) -> str:
        return f"{self._root}/{name}"

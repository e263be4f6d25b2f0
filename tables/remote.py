"""Files of object stores and Hadoop by pyarrow's file systems: listed, and copied to be read."""

import atexit
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath

import pyarrow as pa
from pyarrow import fs

from tables.address import address_of
from tables.errors import TableError

CHUNK_BYTES = 1 << 24
SPECIAL = set("*?[")


def open_store(path: Path | str) -> tuple[fs.FileSystem, str]:
    """The file system of an address, and the place in it. Keys and endpoint come from the environment.

    `AWS_ENDPOINT_URL` names an S3-compatible server, as for Amazon's own programs.

    Raises:
        TableError: the address or the access to it is wrong.
    """
    scheme, _, rest = address_of(path).partition("://")
    server, _, place = rest.partition("/")  # apart, since an address as such has no blanks and no brackets
    try:
        store, root = fs.FileSystem.from_uri(f"{scheme}://{server}/")
        return store, f"{root.rstrip('/')}/{place}".rstrip("/")
    except (pa.ArrowException, OSError) as error:
        raise TableError(Path(path), f"cannot be reached: {_first_line(error)}") from error


def remote_files(path: Path) -> list[tuple[str, int, float]]:
    """The files that an address means: one, those of a folder, or those that match a pattern, sorted by name.

    Returns:
        Address, bytes and time of the last change (seconds since 1970) of each.

    Raises:
        TableError: there is none, or it cannot be asked.
    """
    store, place = open_store(path)
    base = address_of(path).removesuffix(place)
    pattern = place if SPECIAL & set(place) else None
    parts = PurePosixPath(place).parts
    plain = [part for index, part in enumerate(parts) if not any(SPECIAL & set(each) for each in parts[: index + 1])]
    root = "/".join(plain) if pattern else place
    try:
        found = [store.get_file_info(root)]
        if pattern or found[0].type == fs.FileType.Directory:
            found = store.get_file_info(fs.FileSelector(root, recursive=True, allow_not_found=True))
    except (pa.ArrowException, OSError) as error:
        raise TableError(path, f"cannot be listed: {_first_line(error)}") from error
    files = [
        (f"{base}{each.path}", each.size, (each.mtime_ns or 0) / 1e9)
        for each in found
        if each.type == fs.FileType.File and (pattern is None or fnmatch(each.path, pattern))
    ]
    if pattern is None and len(files) > 1:
        files = [each for each in files if not PurePosixPath(each[0]).name.startswith(("_", "."))]
    if not files:
        raise TableError(path, "no file is called like this" if pattern else "does not exist")
    return sorted(files)


@contextmanager
def local_copy(path: Path) -> Iterator[Path]:
    """Yields a local file with the content of a remote one; the copy goes when another file is copied, or at the end.

    All formats need a file that can be read twice. The last copy stays, because a table is looked at before it is read.

    Raises:
        TableError: it cannot be read.
    """
    address = address_of(path)
    if _COPY.get("address") != address:
        _COPY.clear()
        folder = _folder()
        copy = folder / PurePosixPath(address).name
        for old in folder.iterdir():
            old.unlink()
        store, place = open_store(path)
        try:
            with store.open_input_stream(place) as source, copy.open("wb") as file:
                shutil.copyfileobj(source, file, CHUNK_BYTES)
        except (pa.ArrowException, OSError) as error:
            raise TableError(path, f"cannot be read: {_first_line(error)}") from error
        _COPY.update(address=address, copy=str(copy))
    yield Path(_COPY["copy"])


_COPY: dict[str, str] = {}
"""Address and place of the copy that is there."""


def _first_line(error: Exception) -> str:
    """The first of the lines of an error, since some list every place that was tried."""
    return str(error).strip().partition("\n")[0]


def _folder() -> Path:
    if "folder" not in _FOLDER:
        _FOLDER["folder"] = folder = Path(tempfile.mkdtemp(prefix="sluice-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return _FOLDER["folder"]


_FOLDER: dict[str, Path] = {}

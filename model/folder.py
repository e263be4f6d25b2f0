"""Folders of files with a SHA-256 digest of each: written whole or not at all, checked when read.

`SHA256SUMS` has the form of `sha256sum`, so that `sha256sum -c SHA256SUMS` checks the folder too.
"""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from model.errors import CheckpointDamaged, CheckpointError, CheckpointMissing

DIGESTS = "SHA256SUMS"


def write_folder(directory: Path, contents: Mapping[str, bytes]) -> str:
    """Writes files and their digests, whole or not at all, in place of an older such folder; returns the version.

    A link is followed: the folder that it leads to is replaced, and the link stays.

    Raises:
        CheckpointError: `directory` exists and is not such a folder, or none can be replaced there (see `place_of`); it
            is left as it is.
    """
    place = place_of(directory)
    occupied = place.exists() and not (place.is_dir() and not any(place.iterdir()))
    if occupied and not (place / DIGESTS).is_file():
        raise CheckpointError(directory, "exists and is not a checkpoint; it is left as it is")
    digests = "".join(f"{_digest(content)}  {name}\n" for name, content in contents.items()).encode()
    with replacing_folder(place) as partial:
        for name, content in {**contents, DIGESTS: digests}.items():
            (partial / name).write_bytes(content)
    return version_of(digests)


@contextmanager
def replacing_folder(place: Path) -> Iterator[Path]:
    """Yields a new folder to write into, which takes the place of `place` at the end; if the block raises, that stays.

    `place` is as `place_of` gives it.
    """
    place.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{place.name}.", dir=place.parent))
    try:
        partial.chmod(0o755)
        yield partial
        _put_in_place(partial, place)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def place_of(directory: Path) -> Path:
    """Follows links to the folder that would be written or replaced.

    Raises:
        CheckpointError: it is the working folder or a mounted volume, in whose place no other folder can be put.
    """
    found = Path(os.path.realpath(directory))
    whole = "a checkpoint is replaced as a whole folder"
    if found == Path.cwd():
        raise CheckpointError(directory, f"is the working folder, and {whole}: name it from another folder")
    if found.is_mount():
        inside = directory / "model"
        raise CheckpointError(directory, f"is where a volume is mounted, and {whole}: name one inside, as {inside}")
    return found


def _put_in_place(partial: Path, directory: Path) -> None:
    """Renames `partial` to `directory`; the older folder is removed once the new one is in its place."""
    retired = partial.with_name(f"{partial.name}.old")
    if directory.exists():
        directory.rename(retired)
    partial.rename(directory)
    shutil.rmtree(retired, ignore_errors=True)


def read_folder(directory: Path, names: Iterable[str]) -> dict[str, bytes]:
    """Reads `DIGESTS` and the files of these names once, and compares the bytes with their digests.

    Raises:
        CheckpointMissing: the folder or a file of it is not there.
        CheckpointDamaged: a file cannot be read, has no digest or does not match it.
    """
    digests = _digests(directory)
    expected = {}
    for line in digests.decode("utf-8", "replace").splitlines():
        digest, _, name = line.partition("  ")
        expected[name] = digest
    contents = {DIGESTS: digests}
    for name in names:
        if name not in expected:
            raise CheckpointDamaged(directory / DIGESTS, f"has no digest of {name}")
        contents[name] = _read(directory / name)
        if _digest(contents[name]) != expected[name]:
            raise CheckpointDamaged(
                directory / name,
                f"is not the file that was saved: its SHA-256 differs from the one in {DIGESTS}",
            )
    return contents


def version_at(directory: Path) -> str:
    """Version of a folder by its `SHA256SUMS` alone; the other files are not read.

    Raises:
        CheckpointMissing: the folder or its digests are not there.
        CheckpointDamaged: they cannot be read.
    """
    return version_of(_digests(directory))


def version_of(digests: bytes) -> str:
    """Version of a folder: the first 12 hex digits of the SHA-256 of its `SHA256SUMS`."""
    return _digest(digests)[:12]


def as_json(value: Any) -> bytes:
    """Writes JSON for people: indented, with a newline at the end.

    Raises:
        ValueError: a number is not finite.
    """
    return (json.dumps(value, ensure_ascii=False, indent=2, allow_nan=False) + "\n").encode()


def parse_json(path: Path, content: bytes) -> dict[str, Any]:
    """Parses the JSON object that was read from `path`.

    Raises:
        CheckpointDamaged: it is not a JSON object.
    """
    try:
        value = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise CheckpointDamaged(path, f"is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise CheckpointDamaged(path, "is not a JSON object")
    return value


def _digests(directory: Path) -> bytes:
    if not directory.is_dir():
        raise CheckpointMissing(directory, "there is no such folder")
    return _read(directory / DIGESTS)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise CheckpointMissing(path, "there is no such file; the checkpoint is not complete") from None
    except OSError as error:
        raise CheckpointDamaged(path, f"cannot be read: {error.strerror}") from None

"""Names and digests of the files of a run, as they are recorded."""

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

from tables.sources import files_of, is_local
from training.errors import UsageError
from training.provenance import file_digest


def check_apart(output: Path, files: Iterable[Path]) -> None:
    """Refuses to write over a file that is read, be it under another name.

    Raises:
        UsageError: `output` is one of `files`.
        TableError: as in `tables.sources.find_parts`.
    """
    read = [part for path in files if is_local(str(path)) for _, part in files_of(path)]
    if output.resolve() in [path.resolve() for path in read]:
        raise UsageError(f"{output} is a file to read; write to another one")


def digest_of(source: Path | Sequence[Path]) -> str:
    """The SHA-256 of a file; of several, or of a folder, that of the lines `DIGEST  NAME` which sha256sum prints.

    Raises:
        TableError: there is no such file.
    """
    files = files_of(source)
    if len(files) == 1:
        return file_digest(files[0][1])
    lines = "".join(f"{file_digest(path)}  {name}\n" for name, path in files)
    return hashlib.sha256(lines.encode()).hexdigest()


def shown_source(source: Path | Sequence[Path], data_root: Path) -> str:
    """The path of each file below the data root, or else only its name; commas between several."""
    return ", ".join(shown_path(path, data_root) for path in ([source] if isinstance(source, Path) else source))


def shown_path(path: Path, data_root: Path) -> str:
    """The path below the data root, or else only the file's name, so that nothing published holds a machine's paths."""
    if not is_local(str(path)):
        return str(path)
    path, data_root = path.resolve(), data_root.resolve()
    return path.relative_to(data_root).as_posix() if path.is_relative_to(data_root) else path.name

"""Finds the files of a table: one, several, a pattern, a folder, or standard input."""

import atexit
import glob
import json
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tables.address import address_of, is_remote
from tables.class_folder import class_folders, text_files
from tables.errors import TableError
from tables.hub import hub_files, is_hub
from tables.remote import remote_files

STDIN = Path("-")
"""Stands for standard input."""

TABLES = {
    *(".csv", ".tsv", ".tab", ".txt", ".json", ".jsonl", ".ndjson", ".parquet", ".arrow", ".feather"),
    *(".xlsx", ".xls", ".ods"),
}
"""Endings of tables in a folder."""

HELD_OUT = ("test", "dev", "val", "eval")
"""Beginnings of the names of files that are not trained on."""

PACKINGS = (".gz", ".zst")
SAVED = "state.json"
"""File in which `datasets` lists the parts of a table that it saved."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a table.

    Attributes:
        path: the file, or the folder with a folder for each label.
        shown: as it is called in messages.
    """

    path: Path
    shown: Path


def find_parts(source: Path | Sequence[Path]) -> list[Part]:
    """The parts of a table, those of a pattern or folder by name.

    Args:
        source: a file, a pipe, a pattern (`*`, `?`, `[…]`, `**`), a folder (of tables, of folders of texts, or saved
            by `datasets`), a name on the Hugging Face Hub (`hf:NAME`), an address of a remote file, pattern or folder
            (`tables.remote`), or `-` for standard input; or several of these, which together are one table.

    Raises:
        TableError: there is no such file, one is named twice, or a folder holds nothing of the kind.
    """
    if not isinstance(source, Path):
        parts = [part for each in source for part in find_parts(each)]
        counts = Counter(part.path.resolve() for part in parts)
        for part in parts:
            if counts[part.path.resolve()] > 1:
                raise TableError(part.shown, "is named twice; its rows would count twice")
        return parts
    if source == STDIN or source.is_fifo():
        return [Part(_copy_of(source), name_of(source))]
    if is_hub(source):
        return [Part(source, source)]
    if is_remote(source):
        return [Part(Path(address), Path(address)) for address, _, _ in remote_files(source)]
    if source.is_dir():
        return [Part(path, path) for path in _in_folder(source)]
    if not source.exists() and glob.has_magic(str(source)):
        matching = glob.glob(str(source), recursive=True)  # noqa: PTH207 - a pattern that may be absolute
        found = sorted(path for path in map(Path, matching) if path.is_file())
        if not found:
            raise TableError(source, "no file is called like this")
        return [Part(path, path) for path in found]
    return [Part(source, source)]


def name_of(source: Path | Sequence[Path]) -> Path:
    """The name of a table in messages: its path or, where it is of several, all of them.

    >>> str(name_of([Path("a.csv"), Path("b.csv")])), str(name_of(Path("a.csv")))
    ('a.csv, b.csv', 'a.csv')
    """
    paths = [source] if isinstance(source, Path) else source
    return Path(", ".join("standard input" if path == STDIN else address_of(path) for path in paths))


def files_of(source: Path | Sequence[Path]) -> list[tuple[str, Path]]:
    """Every file of a table with its name, which of a folder of texts has the label's folder before it.

    Raises:
        TableError: as in `find_parts`.
    """
    files: list[tuple[str, Path]] = []
    for part in find_parts(source):
        if is_hub(part.path):
            files += hub_files(part.path)
            continue
        if is_remote(part.path):
            cause = "is remote: python -m app predict scores such files, everything else wants a copy on this machine"
            raise TableError(part.path, cause)
        folders = class_folders(part.path) if part.path.is_dir() else []
        texts = [(f"{folder.name}/{file.name}", file) for folder in folders for file in text_files(folder)]
        files += texts or [(part.path.name, part.path)]
    return files


def is_local(name: str) -> bool:
    """True if a name stands for a file or folder, whose path can be made absolute.

    >>> is_local("a.csv"), is_local("-"), is_local("hf:imdb"), is_local("s3://bucket/a.csv")
    (True, False, False, False)
    """
    return name != str(STDIN) and not is_hub(Path(name)) and not is_remote(name)


def _in_folder(folder: Path) -> list[Path]:
    """The tables in a folder; or the folder itself, if it has a folder for each label."""
    if (folder / SAVED).is_file():
        return _saved(folder)
    tables = [path for path in text_files(folder) if _is_table(path) and not path.name.startswith("_")]
    folders = class_folders(folder)
    if tables and not folders:
        _check_one_split(folder, tables)
        return tables
    texts = [text_files(each) for each in folders]
    if folders and all(texts) and not any(_is_table(path) and path.suffix != ".txt" for each in texts for path in each):
        return [folder]
    inside = ", ".join(f"{each.name}/" for each in folders[:5]) or "nothing of the kind"
    raise TableError(
        folder,
        "is a folder; it should hold tables, or a folder of text files for each label, and holds "
        f"{inside}; name its files, as in '{folder}/**/*.csv'",
    )


def _check_one_split(folder: Path, tables: Sequence[Path]) -> None:
    """Refuses a folder with texts to train on beside those to test on, which must not become one table."""
    train = [path.name for path in tables if path.name.lower().startswith("train")]
    held_out = [path.name for path in tables if path.name.lower().startswith(HELD_OUT)]
    if train and held_out:
        raise TableError(folder, f"holds texts of several splits ({train[0]}, {held_out[0]}); name the files of one")


def _is_table(path: Path) -> bool:
    suffixes = [suffix.lower() for suffix in path.suffixes]
    return bool(suffixes) and (suffixes[-2] if suffixes[-1] in PACKINGS and suffixes[1:] else suffixes[-1]) in TABLES


def _saved(folder: Path) -> list[Path]:
    try:
        parts = json.loads((folder / SAVED).read_bytes())["_data_files"]
        return [folder / part["filename"] for part in parts]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TableError(folder / SAVED, "does not list the files of a table, as datasets writes it") from error


@cache
def _copy_of(pipe: Path) -> Path:
    """A file with all that comes through a pipe, since a table is read more than once; removed at the program's end."""
    folder = Path(tempfile.mkdtemp(prefix="sluice-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    path = folder / ("standard input" if pipe == STDIN else pipe.name)
    with path.open("wb") as file, nullcontext(sys.stdin.buffer) if pipe == STDIN else pipe.open("rb") as content:
        shutil.copyfileobj(content, file)
    return path

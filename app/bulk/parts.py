"""Parts of the output, each whole: a run that was killed goes on after the last of them.

While it runs, the folder of parts holds `_job.json` (what the run is), `part-000000.parquet` and so on. Each finished
part has `_part-000000.json` (what it counts, written last) and may have `_part-000000.bad.jsonl` (rows without a
label). Where the output is a file, the folder is beside it and called `FILE.parts`; where it is a folder, it is the
output itself, and `_SUCCESS` says that it is complete.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa

from app.bulk.errors import BulkError
from app.bulk.formats import Form
from app.bulk.scoring import Counts
from app.bulk.store import Store, place_of
from tables.address import address_of, is_remote, is_unicode
from tables.reading import BadRow

JOB, SUCCESS, BAD = "_job.json", "_SUCCESS", "bad.jsonl"
PART, OF_PART = re.compile(r"part-\d{6}\."), re.compile(r"_part-\d{6}\.")
FINISHED = re.compile(r"_part-(\d{6})\.json")
OURS = re.compile(r"_?part-\d{6}\..*|_job\.json|_SUCCESS|_bad\.jsonl")

Job = Mapping[str, Any]
"""What decides the output: checkpoint, files, options; JSON."""


@dataclass(frozen=True, slots=True)
class Finished:
    """Sums over the parts that are finished.

    Attributes:
        parts: number of them.
        windows: that they were made of.
        counts: sums over their rows.
    """

    parts: int = 0
    windows: int = 0
    counts: Counts = field(default_factory=Counts)


class Parts:
    """The output of one run.

    Args:
        output: path or address; a folder if it is one, ends in a slash or has no ending of a file.
        form: format of the parts, and of the file.

    Raises:
        BulkError: it cannot be reached, or is standard output or a device.
    """

    def __init__(self, output: str, form: Form) -> None:
        _check_is_file(output)
        self._form, self.output = form, output
        name = output.rstrip("/").rpartition("/")[2]
        is_folder = output.endswith("/") or "." not in name or (not is_remote(output) and Path(output).is_dir())
        self._file = "" if is_folder else name
        self._beside = Store(output.removesuffix(name) or ".") if self._file else Store(output)
        self._parts = Store(f"{output}.parts") if self._file else self._beside
        self._form_of_parts = form.of_parts if self._file else form
        self._job: Job = {}
        self._made: list[Store] = []

    @property
    def bad(self) -> str:
        """The file of rows without a label."""
        return f"{self.output}.{BAD}" if self._file else f"{self.output.rstrip('/')}/_{BAD}"

    def check_apart(self, files: Iterable[Path]) -> None:
        """Refuses files to read that are, or lie in, what is written and with --overwrite removed; also the reverse.

        Args:
            files: as they were named, and the parts of their tables.

        Raises:
            BulkError: one is.
        """
        ours = [self._parts.place, place_of(self.bad), *([self._beside.place_of(self._file)] if self._file else [])]
        for file in files:
            read = place_of(file)
            if any(read == place or read.startswith(f"{place}/") for place in ours):
                raise BulkError(f"{address_of(file)} is a file to read; write to another place than {self.output}")
            if any(place.startswith(f"{read}/") for place in ours):
                raise BulkError(f"{self.output} lies in {address_of(file)}, which is read; write to another place")

    @contextmanager
    def running(self, job: Job, *, overwrite: bool) -> Iterator[Finished]:
        """Does as `begin`; if the block raises before a part is finished, nothing of the job stays.

        Raises:
            BulkError: as in `begin`.
        """
        done = self.begin(job, overwrite=overwrite)
        try:
            yield done
        except BaseException:
            if self._ours() and not self._finished().parts:
                self._clear()
                for folder in reversed(self._made):
                    folder.remove_empty()
            raise

    def begin(self, job: Job, *, overwrite: bool) -> Finished:
        """Finds the parts of an earlier run of the same job, and makes ready for the others.

        A job of which no part was finished is in nobody's way: another one takes its place.

        Args:
            job: see `Job`.
            overwrite: begin anew, whatever is there. A file stays as it is until the new one takes its place; the
                parts of a folder are removed now.

        Raises:
            BulkError: a finished output or another job's parts are there; nothing was written or removed.
        """
        self._job = msgspec.json.decode(msgspec.json.encode(job))
        if overwrite:
            self._clear()
        ours, done = self._ours(), self._finished()
        if self._beside.has(self._file or SUCCESS) and not ours and not overwrite:
            raise BulkError(f"{self.output} is there already; choose another name, or --overwrite it")
        if ours:
            return done
        if self._parts.has(JOB):
            if done.parts:
                raise BulkError(
                    f"{self._parts.address} holds parts of another call ({self._difference()}); finish that one, or "
                    "begin anew with --overwrite"
                )
            self._clear()
        self._made = [folder for folder in (self._beside, self._parts) if folder.make()]
        self._parts.write(JOB, msgspec.json.encode(self._job))
        return Finished()

    def add(
        self, number: int, rows: Sequence[pa.RecordBatch], bad: Sequence[BadRow], done: Finished, *, first: bool
    ) -> None:
        """Writes a part; `done` is what this one holds alone, `first` says that no part before it has rows.

        Raises:
            BulkError: another job took the place of this one.
        """
        self._check_ours()
        name = f"part-{number:06}"
        if rows:  # a batch without rows among them makes a file of its columns
            header = first or not self._file
            content = self._form_of_parts.encode(pa.Table.from_batches(rows), header=header)
            self._parts.write(name + self._form_of_parts.ending, content)
        if bad:
            self._parts.write(f"_{name}.{BAD}", b"".join(map(_bad_line, bad)))
        self._parts.write(f"_{name}.json", msgspec.json.encode(asdict(done)))

    def finish(self, counts: Counts) -> None:
        """Joins the parts to a file, or marks the folder as complete, and removes what only a resumption needs.

        Raises:
            BulkError: another job took the place of this one.
        """
        self._check_ours()
        names = sorted(self._parts.names())
        bad = [name for name in filter(OF_PART.match, names) if name.endswith(BAD)]
        if bad:
            with self._beside.writing(f"{self._file}.{BAD}" if self._file else f"_{BAD}") as sink:
                for name in bad:
                    sink.write(self._parts.read(name))
        if self._file:
            if not bad:  # that of the file which is replaced
                self._beside.remove(f"{self._file}.{BAD}")
            with self._beside.writing(self._file) as sink:
                self._form.join(map(self._parts.opened, filter(PART.match, names)), sink)
            self._parts.remove_all()
        else:
            self._parts.write(SUCCESS, msgspec.json.encode(asdict(counts)))
            for name in [*filter(OF_PART.match, names), JOB]:
                self._parts.remove(name)

    def _clear(self) -> None:
        """Removes what an earlier run of this program left; other files of a folder stay."""
        for name in self._parts.names():
            if OURS.fullmatch(name):
                self._parts.remove(name)

    def _check_ours(self) -> None:
        if not self._ours():
            raise BulkError(f"another call has begun to write {self.output}; give each a place of its own")

    def _ours(self) -> bool:
        return self._parts.has(JOB) and self._job_there() == self._job

    def _job_there(self) -> dict[str, Any]:
        try:
            found: dict[str, Any] = msgspec.json.decode(self._parts.read(JOB), type=dict)
        except msgspec.DecodeError:
            return {}
        return found

    def _difference(self) -> str:
        there = self._job_there()
        return "other " + ", ".join(key for key, asked in self._job.items() if there.get(key) != asked)

    def _finished(self) -> Finished:
        """The parts from the first on that are finished; what is behind them will be written anew."""
        numbers = {int(found[1]) for name in self._parts.names() if (found := FINISHED.fullmatch(name))}
        done = Finished()
        while done.parts in numbers:
            part = msgspec.json.decode(self._parts.read(f"_part-{done.parts:06}.json"), type=Finished)
            done = Finished(done.parts + 1, done.windows + part.windows, done.counts + part.counts)
        return done


def _check_is_file(output: str) -> None:
    """Refuses what cannot be written in parts and renamed.

    Raises:
        BulkError: it is standard output or a device, or has a name that is not UTF-8.
    """
    path = Path(output)
    if output == "-" or (not is_remote(output) and path.exists() and not path.is_file() and not path.is_dir()):
        raise BulkError(f"{output} is no file or folder; --output names one, so that a stopped run can go on")
    if not is_unicode(output):
        raise BulkError(f"{output} is not UTF-8, or the name of a folder above it; choose another one")


def _bad_line(bad: BadRow) -> bytes:
    place = {"file": str(bad.path), "row": bad.row.number, "line": bad.row.line, "cause": bad.cause}
    return msgspec.json.encode({**place, "content": bad.content}, enc_hook=str) + b"\n"

"""Scoring of files from start to end: reads, scores and writes at the same time, and goes on where it was stopped."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import islice
from pathlib import Path

import pyarrow as pa

from app.bulk.errors import BulkError
from app.bulk.formats import Form, convert, form_of
from app.bulk.parts import Finished, Job, Parts
from app.bulk.pipeline import ordered_map
from app.bulk.progress import Progress
from app.bulk.scoring import Classifier, Columns, Counts, Scored, Scorer
from app.bulk.windows import WINDOW_BYTES, WINDOW_ROWS, Window, read_windows
from tables.address import address_of, is_remote
from tables.batch import find_columns
from tables.columns import choose_texts
from tables.reading import BadRow, Reading
from tables.remote import remote_files
from tables.sources import Part, find_parts
from tables.totals import count_rows

PART_ROWS = 1 << 17
PART_BYTES = 1 << 26
"""A part of the output ends when it has so many bytes, even of fewer rows."""

AHEAD = 6
"""Windows that wait for a thread while a part is written, so that no thread waits for it."""


@dataclass(frozen=True, slots=True)
class Call:
    """A request to score files.

    Attributes:
        files: to read, in their order; see `tables.sources.find_parts`.
        output: path or address of a file or folder.
        format: of the output; None goes by its ending.
        text_column: one, or several with commas between them; None finds it.
        sheet: of spreadsheets.
        keep: columns to write along; None is all.
        prefix: of the names of columns that are added.
        scores: True to add the probability of each label.
        overwrite: True to replace what is there.
        part_rows: rows of a part of the output, and a window at most more; a stopped run repeats one part.
    """

    files: Sequence[Path]
    output: str
    format: str | None = None
    text_column: str | None = None
    sheet: str | None = None
    keep: tuple[str, ...] | None = None
    prefix: str = ""
    scores: bool = False
    overwrite: bool = False
    part_rows: int = PART_ROWS


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of a run.

    Attributes:
        counts: of all rows, those of an earlier run of the same call among them.
        cost: a sentence.
        bad: the file of rows without a label; None if there are none.
        readings: what was found in each file.
    """

    counts: Counts
    cost: str
    bad: str | None
    readings: Sequence[Reading]


def predict(
    classifier: Classifier, call: Call, *, threads: int, say: Callable[[str], object] = lambda _: None
) -> Outcome:
    """Scores all rows of files.

    Args:
        classifier: gives the labels; with one thread for each text.
        call: what to read and to write.
        threads: that score at a time, where the classifier is `concurrent`.
        say: takes lines of progress.

    Raises:
        TableError: a file or a column cannot be read.
        BulkError: the output cannot be written as asked, or columns do not fit each other.
    """
    form, inputs = form_of(call.output, call.format), find_parts(call.files)
    columns, first = _look(call, say)
    scorer, output, readings = Scorer(classifier, columns), Parts(call.output, form), list[Reading]()
    output.check_apart([*call.files, *(part.path for part in inputs)])
    schema = _schema(scorer, columns, first)
    form.check(schema)
    with output.running(_job(classifier, columns, call, form, inputs), overwrite=call.overwrite) as done:
        if done.parts:
            say(f"goes on after {done.counts.rows + done.counts.bad:,} rows of an earlier run")
        windows = read_windows(call.files, columns.read, sheet=call.sheet, readings=readings)
        left = _checked(islice(windows, done.windows, None), columns, first)
        progress = Progress(count_rows(inputs), done.counts, say)
        scored = ordered_map(scorer.score, left, threads=threads, ahead=AHEAD)
        for part in _parts(scored, schema, call.part_rows):
            own = Finished(1, part.windows, part.counts)
            output.add(done.parts, part.rows, part.bad, own, first=not done.counts.rows)
            done = Finished(done.parts + 1, done.windows + part.windows, done.counts + part.counts)
            progress.update(done.counts)
        output.finish(done.counts)
    return Outcome(done.counts, progress.cost(done.counts), output.bad if done.counts.bad else None, readings)


def text_columns(call: Call, say: Callable[[str], object]) -> tuple[str, ...]:
    """The columns of texts; tells those that are found and not called `text`.

    Raises:
        TableError: none is found, or several.
    """
    # Rows that cannot be read are set aside when the files are read whole.
    return choose_texts(call.files, call.text_column, sheet=call.sheet, refuse=lambda _: None, say=say)


def _look(call: Call, say: Callable[[str], object]) -> tuple[Columns, pa.Schema]:
    """The columns to read and to write, and the types of those that the first rows have.

    Raises:
        BulkError: there are no rows.
        TableError: a column is missing.
    """
    columns, bad = Columns(text_columns(call, say), call.keep, call.prefix, call.scores), list[BadRow]()
    for first in read_windows(call.files, columns.read, sheet=call.sheet, readings=[]):
        bad += first.bad
        if first.batch is not None:
            break
    else:
        raise BulkError(f"there is no row to score{_unreadable(bad)}")
    present = first.batch.records.schema
    texts = find_columns(first.path, columns.texts, present.names, Reading(first.path)).values()
    return replace(columns, texts=tuple(present.names[place] for place in texts)), present


def _unreadable(bad: Sequence[BadRow]) -> str:
    return f"; {address_of(bad[0].path)}, {bad[0].row}: {bad[0].cause}" if bad else ""


def _schema(scorer: Scorer, columns: Columns, present: pa.Schema) -> pa.Schema:
    """Names and types of the columns of the output, from those of the first rows.

    Raises:
        BulkError: a column that is added has the name of one that is kept.
    """
    kept = [present.field(name) for name in (present.names if columns.keep is None else columns.keep)]
    added = scorer.schema()
    if both := [field.name for field in kept if field.name in added.names]:
        raise BulkError(
            f"the files have a column '{both[0]}' already; name the new ones with --prefix, as in --prefix predicted_, "
            "or say with --keep which of the old ones to keep"
        )
    return pa.schema([*kept, *added])


def _job(classifier: Classifier, columns: Columns, call: Call, form: Form, inputs: Sequence[Part]) -> Job:
    """All that decides the output."""
    return {
        "checkpoint": classifier.version,
        "number format": classifier.dtype,
        "files": [list(identity(part)) for part in inputs],
        "columns": asdict(columns),
        "sheet": call.sheet,
        "format": form.ending,
        "parts": [call.part_rows, PART_BYTES, WINDOW_ROWS, WINDOW_BYTES],
    }


def identity(part: Part) -> tuple[object, ...]:
    """The name of a file, and what changes with its content."""
    if is_remote(part.path):
        return remote_files(part.path)[0]
    if part.shown != part.path:  # standard input, in a file that is new each time
        with part.path.open("rb") as file:
            return str(part.shown), hashlib.file_digest(file, "sha256").hexdigest()
    if not part.path.exists():
        return (str(part.path),)
    state = part.path.stat()
    return str(part.path.resolve()), state.st_size, state.st_mtime_ns


def _checked(windows: Iterable[Window], columns: Columns, present: pa.Schema) -> Iterator[Window]:
    """Passes windows on while their columns are those of the first rows.

    Raises:
        BulkError: one has other columns than the first rows.
    """
    wanted = set(present.names)
    for window in windows:
        there = wanted if window.batch is None else set(window.batch.records.schema.names)
        if there != wanted:
            missing = [name for name in columns.texts if name not in there]
            remedy = f"its texts must be called '{missing[0]}' too" if missing else "name those to keep with --keep"
            differing = ", ".join(map(repr, sorted(there ^ wanted)))
            raise BulkError(f"{address_of(window.path)}: the files differ in columns ({differing}); {remedy}")
        yield window


@dataclass(slots=True)
class _Part:
    """Rows that are written together."""

    rows: list[pa.RecordBatch] = field(default_factory=list)
    bad: list[BadRow] = field(default_factory=list)
    counts: Counts = field(default_factory=Counts)
    windows: int = 0
    bytes: int = 0


def _parts(windows: Iterable[Scored], schema: pa.Schema, part_rows: int) -> Iterator[_Part]:
    """Gathers windows into parts.

    Raises:
        BulkError: a file has other types than the first.
    """
    part = _Part()
    for window in windows:
        if window.rows is not None:
            part.rows.append(_fitted(window.rows, schema, window.path))
            part.bytes += window.rows.nbytes
        part.bad += window.bad
        part.counts, part.windows = part.counts + window.counts, part.windows + 1
        if part.counts.rows + part.counts.bad >= part_rows or part.bytes >= PART_BYTES:
            yield part
            part = _Part()
    if part.windows:
        yield part


def _fitted(rows: pa.RecordBatch, schema: pa.Schema, path: Path) -> pa.RecordBatch:
    """The rows with the columns and types of the output."""
    if rows.schema.equals(schema):
        return rows
    columns = []
    for name, kind in zip(schema.names, schema.types, strict=True):
        try:
            columns.append(convert(rows.column(name), kind))
        except pa.ArrowException as error:
            raise BulkError(
                f"{path}, column '{name}': {rows.column(name).type} does not fit {kind}: {error}"
            ) from error
    return pa.RecordBatch.from_arrays(columns, schema=schema)

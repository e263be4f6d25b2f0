"""Teachers' logits of many texts, kept on disk as they come: a text is labelled once, and a broken run loses minutes.

A teacher's folder in the cache is named by the teacher's digest. Its Parquet files hold the columns `text`, a 64-bit
digest of the text, and `logits`, so that students with other texts share what they have in common.

Shape suffixes: N texts, C labels of the student, K labels of a teacher.
"""

import hashlib
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import compress
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from rich.console import Console

from model.files import replacing
from tables.parquet import write_parquet
from training.data.column_names import TEXT, written
from training.data.files import check_apart
from training.data.unlabeled import read_unlabeled
from training.errors import RunError, UsageError
from training.teachers.hugging_face import Floats
from training.teachers.label_file import LabelFile
from training.teachers.teacher import Teacher, check_mapping, columns_for, student_logits

Keys = npt.NDArray[np.uint64]

SHARD_TEXTS = 16384
"""A broken run loses the work on one shard at most."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """Progress of a labelling."""

    teacher: str
    done: int
    total: int
    texts_per_s: float


Report = Callable[[Labelled], None]
ShouldStop = Callable[[], bool]


@dataclass(frozen=True, slots=True)
class Labels:
    """Logits of N texts by all teachers together.

    Attributes:
        logits_NC: the mean over those teachers that know a text; zeros where none does.
        known_N: the texts that a teacher knows. A model knows every text, a file its own.
    """

    logits_NC: Floats
    known_N: npt.NDArray[np.bool_]


def label(
    teachers: Sequence[Teacher],
    texts: Sequence[str],
    labels: Sequence[str],
    mapping: Mapping[str, Sequence[str]],
    *,
    cache: Path,
    report: Report = lambda _: None,
    should_stop: ShouldStop = lambda: False,
) -> Labels | None:
    """The mean of the teachers' logits, columns in the order of `labels`.

    Args:
        teachers: any number.
        texts: any number.
        labels: of the student.
        mapping: see `training.teachers.teacher.columns_for`.
        cache: folder of logits.
        report: called after each shard of new texts, and at the start if some are in `cache`.
        should_stop: asked after each shard.

    Returns:
        None if `should_stop()`; the shards that are done stay in `cache`.

    Raises:
        UsageError: the labels of a teacher do not fit.
        RunError: a logit is not finite.
    """
    check_mapping(teachers, mapping)
    columns = [columns_for(teacher, labels, mapping) for teacher in teachers]
    sum_NC = np.zeros((len(texts), len(labels)), dtype=np.float32)
    answers_N = np.zeros(len(texts), dtype=np.float32)
    for teacher, chosen in zip(teachers, columns, strict=True):
        if isinstance(teacher, LabelFile):
            known_N = teacher.knows(texts)
            logits_NK: Floats | None = teacher.logits(list(compress(texts, known_N)))
        else:
            known_N = np.ones(len(texts), dtype=np.bool_)
            logits_NK = cached_logits(teacher, texts, cache=cache, report=report, should_stop=should_stop)
        if logits_NK is None:
            return None
        sum_NC[known_N] += student_logits(logits_NK, chosen)
        answers_N += known_N
    sum_NC /= np.maximum(answers_N, 1)[:, None]
    return Labels(sum_NC, answers_N > 0)


def cached_logits(
    teacher: Teacher,
    texts: Sequence[str],
    *,
    cache: Path,
    report: Report = lambda _: None,
    should_stop: ShouldStop = lambda: False,
) -> Floats | None:
    """The teacher's logits [N, K]: those in `cache`, and new ones, which are added to it.

    Texts of like length are labelled together. None and errors as in `label`.
    """
    keys_N, folder = text_keys(texts), cache / teacher.digest[:24]
    known = read_cache(folder, len(teacher.labels))
    distinct, first_rows = np.unique(keys_N, return_index=True)
    new_rows = first_rows[~np.isin(distinct, known.keys)]
    new_rows = new_rows[np.argsort([len(texts[row]) for row in new_rows], kind="stable")]
    parts, done, began = [known], len(distinct) - len(new_rows), time.perf_counter()
    if done:
        report(Labelled(teacher.name, done, len(distinct), 0.0))
    for start in range(0, len(new_rows), SHARD_TEXTS):
        rows = new_rows[start : start + SHARD_TEXTS]
        logits_NK = teacher.logits([texts[row] for row in rows])
        if not np.isfinite(logits_NK).all():
            raise RunError(f"teacher {teacher.name} gives logits that are not finite; check its weights")
        parts.append(KeyedLogits(keys_N[rows], logits_NK))
        parts[-1].write(folder)
        rate = (start + len(rows)) / max(time.perf_counter() - began, 1e-9)
        report(Labelled(teacher.name, done + start + len(rows), len(distinct), rate))
        if should_stop():
            return None
    return joined(parts).find(keys_N)


@dataclass(frozen=True, slots=True)
class KeyedLogits:
    """Logits [N, K] by the keys [N] of their texts."""

    keys: Keys
    logits: Floats

    def find(self, keys: Keys) -> Floats:
        """Logits of the texts with these keys, all of which are here."""
        order = np.argsort(self.keys, kind="stable")
        found: Floats = self.logits[order[np.searchsorted(self.keys, keys, sorter=order)]]
        return found

    def write(self, folder: Path) -> None:
        """Writes a new Parquet file into `folder`, whole or not at all."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{hashlib.sha256(self.keys.tobytes()).hexdigest()[:24]}.parquet"
        flat = pa.array(self.logits.astype(np.float32).reshape(-1))
        logits = pa.FixedSizeListArray.from_arrays(flat, self.logits.shape[1])
        with replacing(path) as partial:
            pq.write_table(pa.table({"text": pa.array(self.keys), "logits": logits}), partial, compression="zstd")


def joined(parts: Sequence[KeyedLogits]) -> KeyedLogits:
    """All of them as one."""
    return KeyedLogits(np.concatenate([part.keys for part in parts]), np.concatenate([part.logits for part in parts]))


def read_cache(folder: Path, num_labels: int) -> KeyedLogits:
    """The logits in a teacher's folder of the cache; a damaged file is passed over, and will be made again."""
    parts = [KeyedLogits(np.zeros(0, dtype=np.uint64), np.zeros((0, num_labels), dtype=np.float32))]
    for path in sorted(folder.glob("*.parquet")):
        try:
            table = pq.read_table(path).combine_chunks()
            keys = table["text"].to_numpy()
            logits_NK = pa.concat_arrays(table["logits"].chunks).flatten().to_numpy().reshape(-1, num_labels)
        except (OSError, KeyError, ValueError, pa.ArrowException):
            continue
        if len(keys) == len(logits_NK):
            parts.append(KeyedLogits(keys, logits_NK))
    return joined(parts)


def text_keys(texts: Iterable[str]) -> Keys:
    """A 64-bit digest of each text [N]; two of a million texts share one in 3 of 100 million cases."""
    digests = (hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest() for text in texts)
    return np.frombuffer(b"".join(digests), dtype="<u8").astype(np.uint64)


def write_labels(
    teacher: Teacher,
    files: Sequence[Path],
    output: Path,
    *,
    cache: Path,
    text_column: str | None,
    shard: tuple[int, int] = (1, 1),
    report: Report = lambda _: None,
) -> int:
    """Writes the Parquet file `output`: the texts of `files`, each once, and the teacher's logit of each label.

    Args:
        teacher, files, output: see above.
        cache: folder of logits.
        text_column: see `read_unlabeled`; that of the output is called as `column_names.written` says.
        shard: K and N to take every N-th of these texts, from the K-th on.
        report: called as by `label`.

    Returns:
        The number of texts.

    Raises:
        TableError: a file cannot be read.
        UsageError: a label of the teacher is called as the text column, or `output` is one of the files.
        RunError: a logit is not finite.
    """
    check_apart(output, files)
    text_name = written(text_column, TEXT)
    if text_name in teacher.labels:
        raise UsageError(
            f"teacher {teacher.name} has a label '{text_name}', which is the text column's name; rename that column, "
            "and name it with --text-column"
        )
    texts = list(dict.fromkeys(text for path in files for text in read_unlabeled(path, text_column=text_column)))
    texts = texts[shard[0] - 1 :: shard[1]]
    logits_NK = cached_logits(teacher, texts, cache=cache, report=report)
    if logits_NK is None:
        return 0
    columns = {name: logits_NK[:, place].tolist() for place, name in enumerate(teacher.labels)}
    write_parquet(output, {text_name: texts, **columns})
    return len(texts)


class LabellingLines:
    """Prints a line for each tenth of the texts."""

    def __init__(self, console: Console, *, verb: str = "labelled") -> None:
        self._console, self._verb, self._told = console, verb, ("", -1)

    def __call__(self, labelled: Labelled) -> None:
        """Shows the progress of labelling."""
        reached = (labelled.teacher, 10 * labelled.done // max(1, labelled.total))
        if reached != self._told:
            self._told = reached
            self._console.print(
                f"{labelled.teacher}: {self._verb} {labelled.done:,} of {labelled.total:,} texts, "
                f"{labelled.texts_per_s:,.0f} texts/s",
                markup=False,
                highlight=False,
            )

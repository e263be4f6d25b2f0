"""The teachers' logits of many texts, kept on disk as they come, so that a broken run loses minutes and not hours.

Each shard is named by the digest of the teacher and of its texts: it can be read again only for what it was made of,
and students that share texts and teachers can share the folder.

Shape suffixes: N texts, C labels of the student, K labels of a teacher.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from model.files import replacing
from training.errors import RunError
from training.teachers.teacher import Teacher, check_mapping, columns_for, digest_of, student_logits

SHARD_TEXTS = 4096
"""A broken run loses the work on one shard at most."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """How far the labelling is."""

    teacher: str
    done: int
    total: int
    texts_per_s: float


def label(
    teachers: Sequence[Teacher],
    texts: Sequence[str],
    labels: Sequence[str],
    mapping: Mapping[str, Sequence[str]],
    *,
    cache: Path,
    report: Callable[[Labelled], None] = lambda _: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> npt.NDArray[np.float32] | None:
    """The mean of the teachers' logits [N, C], columns in the order of `labels`.

    Args:
        teachers: at least one.
        texts: any number.
        labels: of the student.
        mapping: see `training.teachers.teacher.columns_for`.
        cache: folder of the shards.
        report: called after each shard.
        should_stop: asked after each shard.

    Returns:
        None if `should_stop()`; what was done stays in `cache`.

    Raises:
        UsageError: the labels of a teacher do not fit.
        RunError: a logit is not finite.
    """
    check_mapping(teachers, mapping)
    columns = [columns_for(teacher, labels, mapping) for teacher in teachers]
    cache.mkdir(parents=True, exist_ok=True)
    order = np.argsort([len(text) for text in texts], kind="stable")
    mean_NC = np.zeros((len(texts), len(labels)), dtype=np.float32)
    for teacher, chosen in zip(teachers, columns, strict=True):
        began, computed = time.perf_counter(), 0
        for start in range(0, len(order), SHARD_TEXTS):
            rows = order[start : start + SHARD_TEXTS]
            logits_NK, new = shard(teacher, [texts[row] for row in rows], cache)
            mean_NC[rows] += student_logits(logits_NK, chosen) / len(teachers)
            computed += len(rows) * new
            rate = computed / max(time.perf_counter() - began, 1e-9)
            report(Labelled(teacher.name, start + len(rows), len(order), rate))
            if should_stop():
                return None
    return mean_NC


def shard(teacher: Teacher, texts: Sequence[str], cache: Path) -> tuple[npt.NDArray[np.float32], bool]:
    """The teacher's logits [N, K] of one shard, and whether they had to be computed."""
    name = digest_of([teacher.digest.encode(), *(text.encode("utf-8", "surrogatepass") for text in texts)])[:24]
    path = cache / f"{name}.safetensors"
    try:
        return load_file(path)["logits"], False
    except (FileNotFoundError, SafetensorError, KeyError):
        pass
    logits_NK = teacher.logits(texts)
    if not np.isfinite(logits_NK).all():
        raise RunError(f"teacher {teacher.name} gives logits that are not finite")
    with replacing(path) as partial:
        save_file({"logits": logits_NK}, partial)
    return logits_NK, True

"""Sentence vectors that a pre-training imitates, for the texts that have one.

Shape suffixes: N vectors, T texts, W windows, D width.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from training.data.column_names import TEXT, written
from training.data.corpus import DataFile
from training.data.sentence_vectors import Halves, VectorFile
from training.errors import DataError, UsageError
from training.language_model.config import PretrainConfig
from training.provenance import file_digest

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Targets:
    """Vectors of one encoder.

    Attributes:
        encoder: its name.
        vectors_ND: as they were written.
        mean_D: of all of them, float32. It is taken away: the vectors of some encoders lie in a narrow cone, where all
            cosines are above 0.7 and tell little (Mu & Viswanath 2018, "All-but-the-Top").
        rows: of `vectors_ND` by place, of a text or of a window; -1 where there is none.
    """

    encoder: str
    vectors_ND: Halves
    mean_D: npt.NDArray[np.float32]
    rows: Rows

    @property
    def width(self) -> int:
        """Width D of the vectors."""
        return int(self.vectors_ND.shape[1])

    @property
    def count(self) -> int:
        """Places that have a vector."""
        return int((self.rows >= 0).sum())

    def of(self, places: Rows) -> Self:
        """The same vectors at other places: those of the texts `places`, none where that is -1."""
        rows = np.where(places >= 0, self.rows[places], -1)
        return type(self)(self.encoder, self.vectors_ND, self.mean_D, rows)

    def batch(self, places: Rows) -> tuple[Tensor, Tensor]:
        """Indices [n] into `places` of those that have a vector, and their centred vectors [n, D]."""
        rows = self.rows[places]
        known = np.flatnonzero(rows >= 0)
        vectors = self.vectors_ND[rows[known]].astype(np.float32) - self.mean_D
        return torch.from_numpy(known), torch.from_numpy(vectors)


def read_targets(config: PretrainConfig, texts: Sequence[str]) -> tuple[list[Targets], dict[str, DataFile]]:
    """The vectors that the files of `config` have for `texts`, by encoder; and what to record of each file.

    Of several files of one encoder that know a text the first counts.

    Raises:
        DataError: a file cannot be read, knows none of the texts, or has another width than one of the same encoder.
    """
    places = {text: place for place, text in enumerate(texts)}
    groups: dict[str, list[VectorFile]] = {}
    files: dict[str, DataFile] = {}
    for path in map(Path, config.vectors.files):
        file = VectorFile.open(path, text_column=written(config.text_column, TEXT))
        same = groups.setdefault(file.source.digest, [])
        if same and same[0].width != file.width:
            raise DataError(path, f"has vectors of {file.width} numbers, but {same[0].path} of {same[0].width}")
        same.append(file)
        digest = file_digest(path)
        files[f"vectors {len(files) + 1}"] = DataFile(file=path.name, sha256=digest, rows=file.rows, labels={})
    return [_read(group, places) for group in groups.values()], files


def _read(files: Sequence[VectorFile], places: dict[str, int]) -> Targets:
    """Vectors of one encoder; only those of texts at a place are kept in memory."""
    rows_T = np.full(len(places), -1, dtype=np.int64)
    vectors_ND = np.empty((min(len(places), sum(file.rows for file in files)), files[0].width), dtype=np.float16)
    count, sum_D = 0, np.zeros(files[0].width)
    for file in files:
        before = count
        for texts, vectors in file.read():
            for text, vector_D in zip(texts, vectors, strict=True):
                place = -1 if text is None else places.get(text, -1)
                if place >= 0 and rows_T[place] < 0:
                    vectors_ND[count], rows_T[place] = vector_D, count
                    count += 1
            sum_D += vectors_ND[before:count].sum(0, dtype=np.float64)
            before = count
    if not count:
        raise UsageError(f"{files[0].path}: none of its texts is one to learn from; --vectors is beside the texts")
    return Targets(files[0].source.name, vectors_ND[:count], (sum_D / count).astype(np.float32), rows_T)

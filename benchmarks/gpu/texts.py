"""Token ids to measure with: those of the data sets' test texts, as many as wanted, and odd ones."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from model.batch import Ids
from model.text import TextEncoder
from training.data.dataset import read_dataset

FILES = {"sst2": "sst2/test.parquet", "imdb": "imdb/test.parquet", "chnsenticorp": "chnsenticorp/test.parquet"}


@dataclass(frozen=True)
class TextSet:
    """Encoded texts of one data set.

    Attributes:
        name: of the set.
        texts: as they are.
        rows: their token ids.
    """

    name: str
    texts: list[str]
    rows: list[Ids]

    def take(self, count: int) -> list[Ids]:
        """So many rows, again from the start where there are fewer."""
        return [self.rows[i % len(self.rows)] for i in range(count)]

    def take_texts(self, count: int) -> list[str]:
        """The first texts, repeated if there are fewer."""
        return [self.texts[i % len(self.texts)] for i in range(count)]


def read_sets(folder: Path, encoder: TextEncoder, most: int) -> list[TextSet]:
    """The sets that are below `folder`, at most `most` texts of each, taken evenly."""
    found = []
    for name, file in FILES.items():
        if not (folder / file).is_file():
            print(f"   no {folder / file}", flush=True)
            continue
        texts = read_dataset(folder / file, text_column="text", label_column="label").texts
        texts = texts[:: max(1, len(texts) // most)][:most]
        found.append(TextSet(name, list(texts), [encoded.ids for encoded in encoder.encode(texts)]))
    return found


def odd_rows(vocabulary: int, longest: int, count: int) -> list[Ids]:
    """Random ids: no token, one, the longest, and lengths between, in no order."""
    rng = np.random.default_rng()
    lengths = [0, 1, longest, 2, 3, 0, longest - 1, 1, *rng.integers(0, longest, count - 8).tolist()]
    return [rng.integers(0, vocabulary, length).astype(np.int32) for length in lengths]


def num_tokens(rows: Sequence[Ids]) -> int:
    """Number of tokens of all rows."""
    return sum(map(len, rows))

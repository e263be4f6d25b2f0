"""Token ids of the training texts in a file, of which only what a batch needs is read into memory."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, overload

import numpy as np
import numpy.typing as npt

from model.batch import Ids
from model.files import replacing
from model.native_text import TokenRows


class StoredIds(Sequence[Ids]):
    """Token ids of N texts in a memory-mapped file, int32 one after another.

    All processes of a machine share what of it is in memory, and the system drops that where memory is short. Another
    process gets the path, and maps the file itself.

    Args:
        path: of the file.
        starts_N1: int64 [N + 1]; where the ids of each text begin, and where those of the last one end.
    """

    def __init__(self, path: Path, starts_N1: npt.NDArray[np.int64]) -> None:
        self._path, self._starts_N1 = path, starts_N1
        empty = np.empty(0, dtype=np.int32)
        # A plain array over the map: each slice of `np.memmap` itself costs several times as much.
        self._ids_T = np.asarray(np.memmap(path, dtype=np.int32, mode="r")) if starts_N1[-1] else empty

    def __len__(self) -> int:
        return len(self._starts_N1) - 1

    def __iter__(self) -> Iterator[Ids]:
        return (self[place] for place in range(len(self)))

    @overload
    def __getitem__(self, place: int) -> Ids: ...
    @overload
    def __getitem__(self, place: slice) -> list[Ids]: ...
    def __getitem__(self, place: int | slice) -> Ids | list[Ids]:
        if isinstance(place, slice):
            return [self[each] for each in range(*place.indices(len(self)))]
        first, after = self._starts_N1[:-1][place], self._starts_N1[1:][place]
        return self._ids_T[first:after]

    def __reduce__(self) -> tuple[Any, ...]:
        return StoredIds, (self._path, self._starts_N1)


def store_ids(path: Path, parts: Iterable[TokenRows]) -> StoredIds:
    """Writes the ids of all texts, a part at a time; the file is replaced at once or not at all."""
    lengths = [np.zeros(1, dtype=np.int64)]
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as partial, partial.open("wb") as file:
        for part in parts:
            file.write(part.ids_T[: part.starts_N1[-1]].tobytes())
            lengths.append(np.diff(part.starts_N1))
    return StoredIds(path, np.cumsum(np.concatenate(lengths)))

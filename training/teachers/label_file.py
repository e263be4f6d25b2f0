"""A teacher's answers in a file: what `training label` wrote, perhaps on another machine.

Shape suffixes: N texts, K labels of the teacher.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from training.errors import DataError
from training.provenance import file_digest
from training.teachers.hugging_face import Floats


class LabelFile:
    """A teacher that knows the texts of a Parquet file and no others.

    Each column of floating-point numbers holds the logits of the label that it is named after; logarithms of
    probabilities are logits too. It does not know a text whose row has none, or null, in all of them.

    Args:
        path: the file.
        text_column: of the texts. Of a text that stands there twice the last row counts.

    Raises:
        DataError: the file cannot be read, has no such texts or fewer than two labels, or a logit is not finite.
    """

    def __init__(self, path: Path, *, text_column: str = "text") -> None:
        table = _read(path)
        if text_column not in table.column_names or not len(table):
            raise DataError(path, "has no texts", column=text_column)
        self.name, self.digest = path.name, file_digest(path)
        self.labels = tuple(field.name for field in table.schema if pa.types.is_floating(field.type))
        if len(self.labels) < 2:
            raise DataError(path, "has no two columns of logits; `python -m training label` writes one for each label")
        columns = [table[name].combine_chunks() for name in self.labels]
        rows = np.flatnonzero(np.any([column.is_valid().to_numpy(zero_copy_only=False) for column in columns], axis=0))
        self._logits_NK = np.stack([column.to_numpy(zero_copy_only=False)[rows] for column in columns], axis=1)
        self._logits_NK = self._logits_NK.astype(np.float32)
        if not np.isfinite(self._logits_NK).all():
            row, place = np.argwhere(~np.isfinite(self._logits_NK))[0]
            cause = f"row {rows[row] + 1} has a logit that is not finite"
            raise DataError(path, cause, column=self.labels[place])
        texts = table[text_column].to_pylist()
        self._rows = {texts[row]: place for place, row in enumerate(rows.tolist()) if isinstance(texts[row], str)}

    @property
    def texts(self) -> tuple[str, ...]:
        """The texts that it knows, each once."""
        return tuple(self._rows)

    def knows(self, texts: Sequence[str]) -> npt.NDArray[np.bool_]:
        """Marks those of the texts [N] that it knows."""
        return np.fromiter((text in self._rows for text in texts), dtype=np.bool_, count=len(texts))

    def logits(self, texts: Sequence[str]) -> Floats:
        """Logits [N, K] of texts that it knows.

        Raises:
            KeyError: it does not know one.
        """
        return self._logits_NK[[self._rows[text] for text in texts]]


def _read(path: Path) -> pa.Table:
    try:
        return pq.read_table(path)
    except (OSError, pa.ArrowException) as error:
        raise DataError(path, f"is no Parquet file that can be read: {error}") from error

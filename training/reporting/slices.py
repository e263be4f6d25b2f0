"""Accuracy of texts of one kind: by length, by script, by language, and by columns of the file.

Shape suffix: N texts.
"""

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from model.text import Encoded
from training.data.choices import sources
from training.data.dataset import Dataset
from training.inspection.languages import SCRIPTS, count_letters, languages_of
from training.metrics.decisions import Decisions
from training.metrics.intervals import wilson_interval
from training.reporting.report import Slice, Slices

NUM_QUANTILES = 4

MOST_VALUES = 20
"""Values of a column that are slices of their own, the commonest."""

FEW = 0.01
"""Scripts and languages of fewer texts than this share are joined."""

OTHER = "other"
EMPTY = "(empty)"


def slice_all(
    dataset: Dataset, encoded: Sequence[Encoded], right_N: Decisions, columns: Sequence[str]
) -> tuple[Slices, ...]:
    """Slices by length in tokens, by script and language where there are several, and by each of `columns`.

    Args:
        dataset: the texts.
        encoded: their tokens.
        right_N: whether each text got exactly its label or set of labels.
        columns: of the file.

    Raises:
        MissingColumnError: the file has no such column.
    """
    found = [_by_length(encoded, right_N), _by_script(dataset.texts, right_N), _by_language(dataset.texts, right_N)]
    found += [_by_column(dataset, column, right_N) for column in columns]
    return tuple(slices for slices in found if slices is not None)


def cut(by: str, about: str, values: Sequence[str], right_N: Decisions, order: Sequence[str] | None = None) -> Slices:
    """The slices of texts with these values of a property, in `order`, else by their number of texts."""
    counts = Counter(values)
    all_N = np.array(values, dtype=object)
    names = [name for name, _ in counts.most_common()] if order is None else [name for name in order if counts[name]]
    return Slices(by=by, about=about, slices=tuple(_slice(name, all_N == name, right_N) for name in names))


def _slice(value: str, inside_N: Decisions, right_N: Decisions) -> Slice:
    texts, num_right = int(inside_N.sum()), int(right_N[inside_N].sum())
    low, high = wilson_interval(num_right, texts)
    rest = right_N[~inside_N]
    others = float(rest.mean()) if len(rest) else None
    return Slice(
        value=value,
        texts=texts,
        accuracy=num_right / texts,
        interval=(low, high),
        differs=None if others is None or low <= others <= high else "worse" if high < others else "better",
    )


def _by_length(encoded: Sequence[Encoded], right_N: Decisions) -> Slices:
    tokens_N = np.array([text.num_tokens for text in encoded])
    cut_N = np.array([text.truncated for text in encoded])
    values, order = _ranges(tokens_N, "tokens")
    whole = "longer than the checkpoint reads"
    values = [whole if truncated else value for value, truncated in zip(values, cut_N.tolist(), strict=True)]
    return cut("length", "", values, right_N, [*order, whole])


def _ranges(numbers_N: "np.ndarray[tuple[int], np.dtype[np.int64]]", unit: str) -> tuple[list[str], list[str]]:
    """The range of each number, and all ranges in order; each has about as many numbers."""
    cuts = np.unique(np.quantile(numbers_N, np.linspace(0, 1, NUM_QUANTILES + 1), method="lower"))
    edges = [*cuts[:-1].tolist(), cuts[-1].item() + 1] if len(cuts) > 1 else [cuts[0].item(), cuts[0].item() + 1]
    names = [
        f"{low:,} {unit}" if low == high - 1 else f"{low:,} to {high - 1:,} {unit}" for low, high in pairwise(edges)
    ]
    places = np.searchsorted(edges, numbers_N, side="right") - 1
    return [names[place] for place in places.tolist()], names


def _by_script(texts: Sequence[str], right_N: Decisions) -> Slices | None:
    letters_NS = count_letters(texts)
    values = [SCRIPTS[place] for place in letters_NS.argmax(axis=1).tolist()]
    values = [
        value if letters else "no letters"
        for value, letters in zip(values, letters_NS.sum(axis=1).tolist(), strict=True)
    ]
    values = _joined(values, FEW * len(values))
    return cut("script", "By most of a text's letters.", values, right_N) if len(set(values)) > 1 else None


def _by_language(texts: Sequence[str], right_N: Decisions) -> Slices | None:
    found = languages_of(texts)
    values = _joined([name for _, name, _ in found], FEW * len(found))
    if len(set(values)) < 2:
        return None
    places = np.array([place for place, _, _ in found])
    about = f"Guessed, of {len(found):,} texts that are long enough; codes of ISO 639-1."
    return cut("language", about, values, right_N[places])


def _by_column(dataset: Dataset, column: str, right_N: Decisions) -> Slices:
    values = [EMPTY if value is None or value == "" else str(value) for value in sources(dataset, column)]
    most = {name for name, _ in Counter(values).most_common(MOST_VALUES)}
    joined = len(set(values) - most)
    about = f"The {joined:,} rarest values are joined as '{OTHER}'." if joined else ""
    return cut(column, about, [value if value in most else OTHER for value in values], right_N)


def _joined(values: Sequence[str], fewer_than: float) -> list[str]:
    counts = Counter(values)
    return [value if counts[value] >= fewer_than else OTHER for value in values]

"""Reads the weight of each row."""

import math
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from tables.reader import Column


def read_weights(column: Column, rows: Iterable[int]) -> npt.NDArray[np.float32]:
    """The weights of the rows at these places, float32 [N], 0 or more; a decimal comma is one.

    Raises:
        TableError: a row has no weight, or what it has is none; or all are 0.
    """
    places = list(rows)
    weights_N = np.array([_weight(column, place) for place in places], dtype=np.float32)
    if places and not weights_N.any():
        raise column.error(places[0], "every weight is 0")
    return weights_N


def _weight(column: Column, place: int) -> float:
    value = column.values[place]
    try:
        text = value.strip() if isinstance(value, str) else value
        weight = float(text.replace(",", ".") if isinstance(text, str) and text.count(",") == 1 else text)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        weight = math.nan
    if not 0 <= weight < math.inf:
        found = "nothing" if value is None or value == "" else repr(str(value)[:40])
        raise column.error(
            place, f"expected a weight, a number of 0 or more (1 counts as other texts do), found {found}"
        )
    return weight

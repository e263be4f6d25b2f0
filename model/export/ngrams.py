"""Bag of hashed n-grams of `model.ngrams` in ONNX: the same buckets, by 64-bit integers that wrap around.

Shape suffixes: T time steps, B batch, C labels, P places: of all n-grams of a text, one order after another.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from model.config import Architecture
from model.export.graph import FLOAT, Graph, integers
from model.ngrams import HASH_SHIFT, MULTIPLIER

HASH_RANGE = np.int64(2**HASH_SHIFT)
"""Division by it, rounded down, is the shift of a signed number, which ONNX does not have."""

LAST = np.iinfo(np.int64).max
"""An end of `Slice` that means the end of the axis."""


def ngram_logits(
    graph: Graph, architecture: Architecture, table: npt.NDArray[Any], ids_TB: str, lengths_B: str, places_T1: str
) -> str:
    """Logits [B, C] of a text's distinct n-grams; zeros for a text without tokens.

    Args:
        graph: to add to.
        architecture: has n-grams.
        table: [buckets, C].
        ids_TB: token ids, int64.
        lengths_B: int64, 0 to T.
        places_T1: 0 to T - 1.
    """
    num_buckets = len(table)
    distinct_PB = _distinct(graph, _buckets(graph, architecture, ids_TB, lengths_B, places_T1), np.int64(num_buckets))
    rows = np.concatenate([table, np.zeros_like(table[:1])])  # the bucket of none
    rows_PBC = graph.as_float32(graph.op("Gather", rows, distinct_PB), table)
    sums_BC = graph.op("ReduceSum", rows_PBC, integers(0), keepdims=0)
    there_PB = graph.op("Cast", graph.op("Less", distinct_PB, np.int64(num_buckets)), to=FLOAT)
    counts_B = graph.op("Max", graph.op("ReduceSum", there_PB, integers(0), keepdims=0), np.float32(1))
    return graph.op("Div", sums_BC, graph.op("Unsqueeze", graph.op("Sqrt", counts_B), integers(1)))


def _buckets(graph: Graph, architecture: Architecture, ids_TB: str, lengths_B: str, places_T1: str) -> str:
    """Bucket of the n-gram of each order that begins at each place, [P, B]; that of none for one with padding."""
    order, num_buckets = architecture.ngram_order, np.int64(architecture.ngram_buckets)
    more_TB = graph.op("Pad", graph.op("Add", ids_TB, np.int64(1)), integers(0, 0, order - 1, 0))
    key, found = "", []
    for length in range(1, order + 1):
        end = length - order or LAST
        next_TB = graph.op("Slice", more_TB, integers(length - 1), integers(end), integers(0))
        key = graph.op("Mul", graph.op("Add", key, next_TB) if key else next_TB, np.int64(MULTIPLIER))
        low = graph.op("Mod", key, HASH_RANGE)
        shifted = graph.op("Div", graph.op("Sub", key, low), HASH_RANGE)  # exact, so that it rounds nothing
        bucket = graph.op("Mod", shifted, num_buckets)
        outside = graph.op("Greater", graph.op("Add", places_T1, np.int64(length)), lengths_B)
        found.append(graph.op("Where", outside, num_buckets, bucket))
    return graph.op("Concat", *found, axis=0)


def _distinct(graph: Graph, buckets_PB: str, none: np.int64) -> str:
    """Sorts the buckets of each text, [P, B], and puts that of none for each that repeats."""
    num_places = graph.op("Shape", buckets_PB, start=0, end=1)
    sorted_PB, _ = graph.several("TopK", 2, buckets_PB, num_places, axis=0, largest=0)
    before_PB = graph.op("Slice", sorted_PB, integers(0), integers(-1), integers(0))
    before_PB = graph.op("Pad", before_PB, integers(1, 0, 0, 0), np.int64(-1))
    return graph.op("Where", graph.op("Equal", sorted_PB, before_PB), none, sorted_PB)

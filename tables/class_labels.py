"""Names of labels that Hugging Face's `datasets` stores beside numbers, in the schema of Arrow and Parquet files."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

KEY = b"huggingface"
LISTS = {"List", "LargeList", "Sequence"}


def class_names(schema: pa.Schema, places: Mapping[str, int]) -> dict[str, list[str]]:
    """The names of the labels in those columns that store their numbers, or lists of them.

    Args:
        schema: of the file.
        places: of the columns in it, by the names under which they are read.
    """
    try:
        features = json.loads((schema.metadata or {}).get(KEY, b"{}"))["info"]["features"]
        found = {column: _names(features.get(schema.names[place])) for column, place in places.items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}
    return {column: names for column, names in found.items() if names}


def _names(feature: Any) -> list[str] | None:
    if isinstance(feature, list) and len(feature) == 1:  # a list, as older versions wrote it
        return _names(feature[0])
    kind = feature.get("_type") if isinstance(feature, dict) else None
    if kind == "ClassLabel" and isinstance(feature.get("names"), list):
        return list(map(str, feature["names"]))
    return _names(feature.get("feature")) if isinstance(feature, dict) and kind in LISTS else None


def with_names(columns: Mapping[str, pa.Array], names: Mapping[str, Sequence[str]]) -> dict[str, pa.Array]:
    """The columns with names in place of the numbers of labels; a number that has no name, such as -1, is null."""
    return {
        column: pa.array([_named(value, names[column]) for value in array.to_pylist()]) if column in names else array
        for column, array in columns.items()
    }


def _named(value: Any, names: Sequence[str]) -> Any:
    if isinstance(value, list):
        return [_named(item, names) for item in value]
    return names[value] if isinstance(value, int) and 0 <= value < len(names) else None

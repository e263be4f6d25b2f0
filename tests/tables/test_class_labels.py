import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tables.class_labels import class_names
from tables.reader import read_columns
from tests.tables.samples import BOTH

LABELS = {"names": ["neg", "pos"], "_type": "ClassLabel"}


def table(feature: Any, labels: list[Any]) -> pa.Table:
    """A table as `datasets` writes it."""
    features = {"text": {"dtype": "string", "_type": "Value"}, "label": feature}
    about = json.dumps({"info": {"features": features}})
    return pa.table({"text": ["a", "b", "c"], "label": labels}).replace_schema_metadata({"huggingface": about})


@pytest.mark.parametrize(
    ("feature", "labels", "found"),
    [
        (LABELS, [1, 0, -1], ["pos", "neg", None]),
        (LABELS, [1, None, 7], ["pos", None, None]),
        ({"feature": LABELS, "_type": "List"}, [[1, 0], [], [0]], [["pos", "neg"], [], ["neg"]]),
        ([LABELS], [[1], [0], None], [["pos"], ["neg"], None]),
        ({"dtype": "int64", "_type": "Value"}, [1, 0, -1], [1, 0, -1]),
    ],
)
def test_numbers_of_labels_have_the_names_of_the_schema(
    tmp_path: Path, feature: Any, labels: list[Any], found: list[Any]
) -> None:
    whole = table(feature, labels)
    pq.write_table(whole, tmp_path / "a.parquet")
    with pa.ipc.new_stream(str(tmp_path / "a.arrow"), whole.schema) as writer:
        writer.write_table(whole)
    for name in ("a.parquet", "a.arrow"):
        texts, column = read_columns(tmp_path / name, BOTH)
        assert (texts.values, column.values) == (["a", "b", "c"], found)


@pytest.mark.parametrize("about", [b"", b"{", b"[]", b'{"info": {"features": {"label": {"_type": "ClassLabel"}}}}'])
def test_what_is_no_such_schema_names_nothing(about: bytes) -> None:
    schema = pa.schema([("label", pa.int64())], metadata={b"huggingface": about})
    assert class_names(schema, {"label": 0}) == {}

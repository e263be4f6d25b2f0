from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from app.bulk.scoring import Columns, Counts, Scorer
from app.bulk.windows import Window
from model.text import Encoded
from tables.batch import JSON, STRING, Batch
from tables.reading import BadRow

PATH = Path("a.jsonl")


def window_of(**columns: pa.Array) -> Window:
    records = pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns))
    return Window(Batch(records, pa.array(range(1, len(records) + 1)), lines=None), PATH)


def test_labels_stand_beside_the_columns(classifier: Any) -> None:
    window = window_of(id=pa.array([7, 8]), text=pa.array(["a", "abcdefgh"]))
    scored = Scorer(classifier, Columns(("text",), scores=True)).score(window)
    assert scored.rows is not None
    assert scored.rows.to_pylist() == [
        {
            "id": 7,
            "text": "a",
            "label": "even",
            "score": 0.5,
            "scores": pytest.approx({"short": 5 / 12, "long": 1 / 12, "even": 0.5}),
        },
        {
            "id": 8,
            "text": "abcdefgh",
            "label": "even",
            "score": 0.5,
            "scores": pytest.approx({"short": 1 / 12, "long": 5 / 12, "even": 0.5}),
        },
    ]
    assert scored.counts == Counts(rows=2, bad=0, tokens=6, cut=1, labels={"short": 0, "long": 0, "even": 2})


@pytest.mark.parametrize(("keep", "names"), [((), []), (("id",), ["id"]), (None, ["id", "text"])])
def test_columns_are_kept_as_asked(classifier: Any, keep: tuple[str, ...] | None, names: list[str]) -> None:
    window = window_of(id=pa.array([7]), text=pa.array(["a"]))
    scorer = Scorer(classifier, Columns(("text",), keep, prefix="p_"))
    rows = scorer.score(window).rows
    assert rows is not None
    assert rows.schema.names == [*names, "p_label", "p_score"]
    assert scorer.schema().names == ["p_label", "p_score"]


def test_rows_without_a_text_are_set_aside_with_all_their_columns(classifier: Any) -> None:
    values = ['"a"', "null", '"  "', '["list"]', "3", None]
    window = window_of(id=pa.array([1, 2, 3, 4, 5, 6]), text=pa.array(values, STRING).cast(JSON))
    scored = Scorer(classifier, Columns(("text",))).score(window)
    assert scored.rows is not None
    assert scored.rows.column("id").to_pylist() == [1, 5]
    assert [(bad.row.number, bad.cause, bad.content) for bad in scored.bad] == [
        (2, "has no text", {"id": 2, "text": None}),
        (3, "has no text", {"id": 3, "text": "  "}),
        (4, "expected text, found list", {"id": 4, "text": ["list"]}),
        (6, "has no text", {"id": 6, "text": None}),
    ]
    assert scored.counts.bad == 4


def test_texts_of_several_columns_are_joined_as_in_training(classifier: Any) -> None:
    seen: list[str] = []
    encode = classifier.encode

    def noting(texts: Sequence[str]) -> list[Encoded]:
        seen.extend(texts)
        return encode(texts)  # type: ignore[no-any-return]

    classifier.encode = noting
    window = window_of(title=pa.array(["A", None, None]), body=pa.array(["b", "c", None]))
    scored = Scorer(classifier, Columns(("title", "body"))).score(window)
    assert seen == ["A\nb", "c"]
    assert [bad.row.number for bad in scored.bad] == [3]


def test_of_several_labels_all_that_reach_their_thresholds_are_given(classifier: Any) -> None:
    classifier.task, classifier.thresholds = "multi_label", (0.3, 0.3, 0.6)
    window = window_of(text=pa.array(["a", "abcdefgh", "abc"]))
    rows = Scorer(classifier, Columns(("text",), ())).score(window).rows
    assert rows is not None
    assert rows.column("labels").to_pylist() == [["short"], ["long"], []]
    classifier.thresholds = None
    rows = Scorer(classifier, Columns(("text",), ())).score(window).rows
    assert rows is not None
    assert rows.column("labels").to_pylist() == [["even"], ["even"], ["even"]]


def test_a_window_without_a_row_has_no_rows(classifier: Any) -> None:
    bad = BadRow(PATH, window_of(text=pa.array(["a"])).batch.rows[0], "broken", "{")  # type: ignore[union-attr]
    scored = Scorer(classifier, Columns(("text",))).score(Window(None, PATH, [bad]))
    assert scored.rows is None
    assert scored.counts == Counts(bad=1)


def test_a_classifier_that_must_is_asked_by_one_thread_at_a_time(classifier: Any) -> None:
    classifier.concurrent = False
    scorer, taken = Scorer(classifier, Columns(("text",))), []
    classifier.before_score = lambda _: taken.append(isinstance(scorer._turn, type(Lock())) and scorer._turn.locked())
    scorer.score(window_of(text=pa.array(["a"])))
    assert taken == [True]


def test_counts_add_up() -> None:
    first = Counts(1, 2, 3, 4, {"a": 1})
    assert first + Counts(10, 20, 30, 40, {"a": 1, "b": 5}) == Counts(11, 22, 33, 44, {"a": 2, "b": 5})


def test_scores_have_the_format_of_the_classifier(classifier: Any) -> None:
    columns, _ = Scorer(classifier, Columns(("text",), scores=True)).answers(["a"])
    assert columns["score"].type == pa.float32()
    assert np.isclose(columns["score"][0].as_py(), 0.5)

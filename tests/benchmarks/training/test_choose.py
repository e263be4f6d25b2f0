import math
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks.training import choose
from benchmarks.training.choose import head_curve, needed, read_results, tables, train_curve
from training.config.request import CallOptions

POOL = pa.table({"text": [f"text {number}" for number in range(10)], "label": ["a", "b"] * 5})
HELD = pa.table({"text": ["x", "y", "z", "w"], "label": ["a", "b", "b", "c"]})


def test_each_size_adds_rows_and_an_unknown_label_counts_as_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[str]] = []

    def fit(call: CallOptions) -> float:
        seen.append(pq.read_table(call.output.parent / "train.parquet")["text"].to_pylist())
        return 0.8

    monkeypatch.setattr(choose, "fit", fit)
    assert train_curve(POOL, HELD, "random", [2, 5, 6], 0) == [pytest.approx(0.6)] * 3
    assert [len(texts) for texts in seen] == [2, 5, 6]
    assert len(set(seen[-1])) == 6
    assert seen[-1][:2] == seen[0]


@pytest.mark.parametrize("method", ["random", "chosen"])
def test_a_head_learns_from_chosen_texts(method: str) -> None:
    words = {"a": ["goal", "team", "match"], "b": ["stocks", "bank", "profit"]}
    rows = [(f"The {word} of day {day}", label) for day in range(10) for label in words for word in words[label]]
    pool = pa.table({"text": [text for text, _ in rows], "label": [label for _, label in rows]})
    figures = head_curve(pool, pool, method, [12, 24], 0)
    assert len(figures) == 2
    assert figures[-1] > 0.9


def test_the_labels_needed_lie_between_two_sizes() -> None:
    assert needed([0.5, 0.6, 0.8], [100, 200, 300], 0.7) == 250
    assert needed([0.5, 0.6], [100, 200], 0.4) == 100
    assert math.isnan(needed([0.5, 0.6], [100, 200], 0.7))


def test_the_tables_have_means_and_shares_of_labels(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    path.write_text(
        '{"set": "s", "learner": "head", "method": "random", "sizes": "2,4", "seed": 0, "figures": [0.5]}\n'
    )
    assert read_results(path) == {("s", "head", "random", "2,4", 0): [0.5]}
    means = {("s", "random"): [0.5, 0.6], ("s", "chosen"): [0.55, 0.65], ("t", "random"): [0.5, 0.6]}
    lines = tables(means | {("t", "chosen"): [0.5, 0.55]}, [2, 4])
    assert lines[2] == "| s | random | 50.0 | 60.0 |"
    assert lines[-2:] == ["| s | 75% |", "| t | more |"]

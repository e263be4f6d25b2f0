from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from benchmarks.training.label_errors import PLANTED, judge, main, measure, plant
from tables.errors import Row
from tables.labels import Names
from training.data.dataset import Dataset, truth_of

LABELS = ("a", "b", "c")


def dataset(rows: int = 200) -> Dataset:
    labels: list[Names] = [(LABELS[i % 3],) for i in range(rows)]
    places = [Row(i + 1) for i in range(rows)]
    return Dataset(Path("x"), "single_label", [f"t{i}" for i in range(rows)], labels, places, "text", "label")


def test_planted_labels_are_other_ones_and_as_many_as_said() -> None:
    data = dataset()
    planted, wrong = plant(data, LABELS, seed=0)
    differs = [names != before for names, before in zip(planted.labels, data.labels, strict=True)]
    assert differs == wrong.tolist()
    assert sum(differs) == round(PLANTED * 200)
    assert (plant(data, LABELS, seed=1)[1] != wrong).any()


def test_a_judge_who_knows_all_finds_all_and_one_who_knows_nothing_few() -> None:
    data = dataset()
    truth = truth_of(data, LABELS)
    knows = 0.8 * truth + 0.2 / 3
    nothing = np.full(truth.shape, 1 / 3)
    found = measure(data, LABELS, lambda *_: {"knows": knows, "nothing": nothing}, 0)
    assert (found["knows"].accuracy, found["knows"].precisions["self-confidence"]) == (1.0, 1.0)
    assert found["nothing"].precisions["self-confidence"] < 0.3
    flipped = judge(knows, truth, truth, np.zeros(200, dtype=bool), 1.0)
    assert flipped.precisions["margin"] == 0.0


def test_the_command_prints_a_line_for_each_judge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = {"a": "good great", "b": "bad awful", "c": "so fair"}
    lines = [f"{words[LABELS[i % 3]]} no{i},{LABELS[i % 3]}" for i in range(120)]
    (tmp_path / "x.parquet").write_text("\n".join(["text,label", *lines]), encoding="utf-8")
    monkeypatch.setattr("benchmarks.training.label_errors.limit_threads", lambda _: None)
    result = CliRunner().invoke(main, ["x", "--data", str(tmp_path), "--method", "tfidf", "--seeds", "2"])
    assert result.exit_code == 0, result.output
    line = next(line for line in result.output.splitlines() if line.startswith("| x |"))
    assert line.startswith("| x | 120 | TF-IDF | 100.0 ± 0.0 | 100.0 ± 0.0 |")

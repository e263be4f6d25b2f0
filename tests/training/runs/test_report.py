"""The report of a run whose training texts are validated on by folds."""

import json
from pathlib import Path

import pytest
from click.testing import Result

from tests.training.runs.test_folds import run
from training.reporting import doubts
from training.reporting.doubts import BY_NETWORK


def test_folds_judge_each_training_text_by_networks_that_had_not_seen_it(
    imitating: tuple[Path, Result], reviews: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: object) -> None:
        raise AssertionError("the networks of the folds are there")

    monkeypatch.setattr(doubts, "sentence_vectors", refuse)
    output = tmp_path / "m"
    record = run(imitating[0], reviews, output, "report=true")
    assert record is not None
    report = json.loads((tmp_path / "m.report.json").read_bytes())
    validation, test = report["held_out"]
    assert (validation["by_folds"], test["by_folds"]) == (True, False)
    assert validation["evaluation"] == record.evaluations["validation"].model_dump(mode="json")
    assert validation["evaluation"]["scores"]["rows"] == report["trained_on"] == 120
    assert report["label_errors"]["judged_by"] == BY_NETWORK
    assert report["label_errors"]["rows"] == 120
    assert [one["role"] for one in report["baseline"]["compared"]] == ["validation", "test"]
    assert test["worst"] == []
    assert report["best_epoch"] is None
    page = (tmp_path / "m.report.html").read_text(encoding="utf-8")
    assert "each was judged by a network that had not learned from it" in page
    assert "Means over the networks of the folds" in page

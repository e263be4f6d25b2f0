import json
from pathlib import Path

import pytest

from tests.training.inspection.conftest import Rows, as_dataset
from training.data.config import DataConfig
from training.data.corpus import read_corpus, read_files
from training.data.tokenizer import TokenizerConfig
from training.inspection.finding import kinds
from training.inspection.report import Report, as_json, inspect, inspect_corpus

SMALL = TokenizerConfig(vocab_size=600)


@pytest.fixture
def spoiled(clean: Rows) -> Rows:
    """The clean texts with a dozen defects."""
    return [
        *clean,
        clean[0],
        (clean[1][0], "good"),
        (f"{clean[2][0]} indeed", clean[2][1]),
        ("N/A", "good"),
        ("12345", "bad"),
        ("good", "good"),
        (f"{clean[3][0]} cafÃ© <br /> ann@example.com, +49 30 1234567", "GOOD"),
        ("очень хорошо", "bad"),
    ]


def test_an_overview_and_the_findings_of_all_checks(clean: Rows, spoiled: Rows) -> None:
    report = inspect(as_dataset(spoiled), {"test": as_dataset(clean[:5], "test.csv")}, tokenizer=SMALL)
    assert (report.rows, report.task, report.held_out, report.languages) == (208, "single_label", {"test": 5}, {})
    assert [(one.label, one.rows) for one in report.labels] == [("good", 105), ("bad", 102), ("GOOD", 1)]
    assert report.labels[0].share == 105 / 208
    assert report.lengths.longest > report.lengths.median > 10
    assert {one.kind for one in report.findings} == {
        *("duplicate", "contradiction", "near_duplicate", "missing_word", "number_only", "text_is_label", "mojibake"),
        *("markup", "email", "phone", "similar_labels", "rare_labels", "other_script"),
        *("leak", "few_held_out", "missing_label"),
    }
    severities = [one.severity for one in report.findings]
    assert severities == sorted(severities, key=["problem", "look", "note"].index)
    assert {one.kind for one in report.findings} <= kinds().keys()


def test_nothing_is_found_in_clean_texts(clean: Rows) -> None:
    assert inspect(as_dataset(clean), {}, tokenizer=SMALL).findings == ()


def test_labels_of_several_may_be_inspected(clean: Rows) -> None:
    dataset = as_dataset(clean)
    lists = [names + ("even",) * (place % 2) if place else () for place, names in enumerate(dataset.labels)]
    several = type(dataset)(dataset.path, "multi_label", dataset.texts, lists, dataset.rows, "text", "label")
    report = inspect(several, {}, tokenizer=SMALL)
    assert (report.task, report.findings) == ("multi_label", ())
    assert [(one.label, one.rows) for one in report.labels] == [("bad", 100), ("even", 100), ("good", 99)]


def test_json_reads_back(spoiled: Rows) -> None:
    report = inspect(as_dataset(spoiled), {}, tokenizer=SMALL)
    (read,) = json.loads(as_json([report]))
    assert Report.model_validate_json(json.dumps(read)) == report
    assert read["findings"][0].keys() == {
        *("kind", "severity", "role", "count", "total", "unit", "title", "detail", "examples", "train", "remedy")
    }


def test_the_data_of_a_run_give_the_report_of_their_files(spoiled: Rows, tmp_path: Path) -> None:
    for name, rows in (("train", spoiled), ("test", spoiled[:120])):
        lines = [json.dumps({"text": text, "label": label}) for text, label in rows]
        (tmp_path / f"{name}.jsonl").write_text("\n".join(lines), encoding="utf-8")
    files = {name: str(tmp_path / f"{name}.jsonl") for name in ("train", "test")}
    for given in ({}, {"validation": files["test"]}, {"folds": 3}):
        config = DataConfig.model_validate(files | given)
        corpus = read_corpus(config, seed=0, data_root=tmp_path)
        assert inspect_corpus(corpus, config, SMALL) == inspect(*read_files(config), tokenizer=SMALL)
    masked = DataConfig.model_validate(files | {"mask_personal": True})
    report = inspect_corpus(read_corpus(masked, seed=0, data_root=tmp_path), masked, SMALL)
    assert not {"email", "phone"} & {one.kind for one in report.findings}

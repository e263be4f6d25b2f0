from pathlib import Path

import pytest

from tests.training.evaluation.test_report import evaluation
from training.artifacts.card import write_card
from training.artifacts.record import Calibration, Effort, Record, StartRecord, TeacherRecord
from training.data.corpus import DataFile
from training.evaluation.evaluate import Evaluation

RECORD = Record(
    name="reviews",
    created="2026-01-02T03:04:05+00:00",
    task="single_label",
    recipe=None,
    command="python -m training train --train a.csv --output reviews",
    seed=0,
    evaluations={"validation": evaluation(("no", "ye|s"))},
    training_accuracy=0.9,
    calibration=Calibration(temperature=1.25, ece_before=0.05, ece_after=0.01, nll_before=0.5, nll_after=0.4),
    num_parameters=1_234_567,
    vocab_size=8000,
    effort=Effort(
        seconds=3725.0,
        tokens_per_s=65_432.1,
        steps=100,
        epochs=2.0,
        best_epoch=1.5,
        device="cpu",
        threads=2,
        machine="Some CPU, 2 cores",
        history=[],
    ),
    data={"train": DataFile(file="a|b.csv", sha256="12ab", rows=1200, labels={"no": 1, "yes": 3})},
    source="",
    licence="",
    warnings=["the model has collapsed"],
    config={"metric": "macro_f1", "tokenizer.max_tokens": 256},
    code={"version": "0.1.0", "commit": None},
    libraries={"torch": "2.13.0"},
)


FULL = RECORD.model_copy(
    update={
        "task": "multi_label",
        "evaluations": {role: evaluation(("no", "ye|s")) for role in ("validation", "test", "fil|ms", "books")},
        "calibration": Calibration(
            temperature=0.8, ece_before=0.05, ece_after=0.01, nll_before=0.5, nll_after=0.4, rows=1500, apart=True,
            macro_f1_before=0.25, macro_f1_after=0.375,
        ),
        "source": "example.org",
        "licence": "CC BY 4.0",
        "warnings": ["some texts are empty", "the model has collapsed"],
        "code": {"version": "0.1.0", "commit": "abc1234"},
        "libraries": {"torch": "2.13.0", "numpy": "2.2.0"},
        "config": RECORD.config | {"distill.hard_share": 0.5},
        "teachers": (
            TeacherRecord(name="large | teacher", digest="34cd", scores={"validation": 0.9, "test": 0.875}),
            TeacherRecord(name="other", digest="56ef", scores={"validation": 0.8, "test": 0.75}),
        ),
        "start": StartRecord(
            name="english", version="789abc", perplexity=54.321, command="python -m training pretrain raw.txt",
            data={"texts 1": DataFile(file="raw|1.jsonl", sha256="def0", rows=123_456, labels={})},
        ),
    }
)  # fmt: skip


@pytest.mark.parametrize(("name", "record"), [("plain", RECORD), ("full", FULL)])
def test_the_whole_card_reads_as_it_should(name: str, record: Record) -> None:
    assert write_card(record) == (Path(__file__).parent / "cards" / f"{name}.md").read_text("utf-8")


def test_a_student_of_labels_and_teachers_is_told_from_one_of_teachers_alone() -> None:
    alone = "It was trained to give the logits that its teachers give."
    assert alone in write_card(FULL)
    card = write_card(FULL.model_copy(update={"config": FULL.config | {"distill.hard_share": 1}}))
    assert (
        "Labels taught it the texts that have one; of the others it was trained to say what its teachers say." in card
    )
    assert alone not in card


@pytest.mark.parametrize(
    ("update", "words"),
    [
        (
            {"rows": 500, "apart": True},
            "fitted on 500 validation texts, which had no part in choosing the weights: ECE",
        ),
        (
            {"rows": 50},
            "fitted on 50 validation texts, too few to part them: the same took part in choosing the weights",
        ),
        ({"rows": 0, "temperature": 1}, "Temperature 1.000, not fitted, for validation has too few texts: ECE 0.0500"),
        ({}, "fitted on validation: ECE 0.0500 before, 0.0100 after"),
        (
            {"chinese_temperature": 0.75, "chinese_ece": 0.0125, "other_ece": 0.0225},
            "0.4000 after; ECE of Chinese texts 0.0125, of others 0.0225.",
        ),
        (
            {"chinese_temperature": 0.75, "chinese_ece": 0.0125, "other_ece": 0.0225},
            "Temperature 1.250 (0.750 of Chinese texts), fitted on validation: ECE 0.0500",
        ),
        ({"macro_f1_before": 0.25, "macro_f1_after": 0.375}, "macro-F1 0.2500 with 1/2 for all, 0.3750 with these"),
    ],
)
def test_the_card_says_what_the_temperature_was_fitted_on(update: dict[str, object], words: str) -> None:
    calibration = RECORD.calibration.model_copy(update=update)
    assert words in write_card(RECORD.model_copy(update={"calibration": calibration}))


def test_a_test_set_a_source_and_a_commit_are_named() -> None:
    more: Evaluation = evaluation()
    record = RECORD.model_copy(
        update={
            "evaluations": RECORD.evaluations | {"test": more},
            "source": "example.org",
            "licence": "CC BY 4.0",
            "code": {"version": "0.1.0", "commit": "abc1234"},
        }
    )
    card = write_card(record)
    for line in ("| | validation | test |", "test was read once", "example.org", "CC BY 4.0", "(abc1234)"):
        assert line in card, line
    assert "label (test)" in card
    assert "label (validation)" not in card


def test_each_further_test_has_a_row() -> None:
    card = write_card(
        RECORD.model_copy(update={"evaluations": {**RECORD.evaluations, "films": evaluation(("no", "ye|s"))}})
    )
    (row,) = [line for line in card.splitlines() if line.startswith("| films |")]
    assert row.count("|") == 6
    assert "test was read once" in card
    assert "test set |" not in write_card(RECORD)

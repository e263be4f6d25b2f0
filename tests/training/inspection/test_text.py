import shlex

from tests.training.inspection.conftest import Rows, as_dataset
from training.data.config import DataConfig
from training.data.tokenizer import TokenizerConfig
from training.inspection.report import Report, inspect
from training.inspection.text import full_text, inspect_command, sentence, short_text


def _report(rows: Rows, **held_out: Rows) -> Report:
    return inspect(
        as_dataset(rows),
        {role: as_dataset(found, f"{role}.csv") for role, found in held_out.items()},
        tokenizer=TokenizerConfig(vocab_size=600),
    )


def test_a_clean_file_gives_a_short_report(clean: Rows) -> None:
    lines = full_text(_report(clean, test=clean[:0])).splitlines()[:3]
    assert lines[0] == "train.csv: 200 rows, 2 labels, one label a text"
    assert lines[1] == "  labels     good 100 (50.0%), bad 100 (50.0%)"
    assert full_text(_report(clean)).endswith("0 problems, 0 worth a look, 0 notes\n\nnothing found")
    assert short_text(_report(clean), "inspect") == ""


def test_a_finding_has_rows_what_train_does_and_what_you_can_do(clean: Rows) -> None:
    text = full_text(_report([*clean, ("N/A", "good"), ("ok<br>", "bad")], test=[(clean[3][0], "good")]))
    assert "problems: mend these before training\n- test: all 1 rows share their text" in text
    assert "\n- 1 of 202 rows (0.5%) have a word for a missing text, such as N/A [missing_word]\n" in text
    assert "\n    row 201 (line 202) [good]: N/A\n    train learns it as a text; you: empty these cells" in text
    assert text.index("worth a look") < text.index("\nnotes\n") < text.index("[markup]")


def test_the_short_form_leaves_out_what_train_warns_of_anyway(clean: Rows) -> None:
    report = _report([*clean, ("N/A", "good"), ("ok<br>", "rare")])
    found = {one.kind: one for one in report.findings}
    assert found.keys() == {"missing_word", "markup", "rare_labels"}
    assert short_text(report, "inspect train.csv").splitlines() == [
        f"look: {sentence(found['missing_word'])}. train learns it as a text. You: {found['missing_word'].remedy}",
        "notes: markup",
        "examples and notes: inspect train.csv",
    ]


def test_the_command_names_all_that_the_run_was_told_of_its_files() -> None:
    assert inspect_command(DataConfig(train="a.csv"), TokenizerConfig()) == "python -m training inspect a.csv"
    data = DataConfig(
        train=("a.csv", "of two.csv"),
        validation="dev.csv",
        test=("b.csv", "c.csv"),
        text_column="title,body",
        label_column="tag",
        weight_column="votes",
        sheet="May",
        keep_labels=("NA", "-"),
        label_separator="|",
        merge_labels=True,
    )
    words = shlex.split(inspect_command(data, TokenizerConfig(max_tokens=50)))
    assert words[4:6] == ["a.csv", "of two.csv"]
    assert words[6:] == [
        *("--validation", "dev.csv", "--test", "b.csv", "--test", "c.csv"),
        *("--text-column", "title,body", "--label-column", "tag", "--weight-column", "votes", "--sheet", "May"),
        *("--keep-label", "NA", "--keep-label", "-", "--label-separator", "|", "--merge-labels", "--max-tokens", "50"),
    ]


def test_a_sentence_says_what_it_counts(clean: Rows) -> None:
    (missing,) = (one for one in _report(clean, test=[clean[0]] * 100).findings if one.kind == "missing_label")
    assert sentence(missing) == "test: 1 of 2 labels (50.0%) have no row here: 'bad' [missing_label]"

import subprocess
import sys
from pathlib import Path

import pandas as pd
from click.testing import CliRunner

from examples.dataframe import label, main
from model.classifier import Classifier
from tests.examples.test_duckdb_function import ROOT


def test_each_row_gets_its_label() -> None:
    classifier = Classifier.load(ROOT / "checkpoints" / "sentiment", dtype="auto")
    frame = label(pd.DataFrame({"id": [1, 2], "text": ["A gripping film.", "Dull and far too long."]}), classifier)
    assert frame.to_dict("list") == {
        "id": [1, 2],
        "text": ["A gripping film.", "Dull and far too long."],
        "label": ["positive", "negative"],
    }
    assert list(label(pd.DataFrame({"text": [None, "Dull."]}), classifier)["label"])[1] == "negative"


def test_the_program_prints_the_first_rows(tmp_path: Path) -> None:
    (tmp_path / "reviews.csv").write_text("text\nA gripping film.\n")
    command = [sys.executable, "-m", "examples.dataframe", str(tmp_path / "reviews.csv")]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    assert "A gripping film.  positive" in run.stdout


def test_a_file_that_is_none_or_has_no_texts_is_told_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "reviews.csv").write_text("review\nA gripping film.\n")
    for arguments, code, told in (
        (["--help"], 0, "a CSV with a column `text`"),
        ([], 2, "Missing argument 'FILE'"),
        ([str(tmp_path / "reviews.csv")], 2, "has no column `text`; it has review."),
    ):
        run = CliRunner().invoke(main, arguments)
        assert (run.exit_code, told in run.output) == (code, True), run.output

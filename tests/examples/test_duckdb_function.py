import subprocess
import sys
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from click.testing import CliRunner

from examples.duckdb_function import add_function, main
from model.classifier import Classifier

ROOT = Path(__file__).parent.parent.parent


def test_sql_gives_the_labels_of_the_classifier() -> None:
    classifier = Classifier.load(ROOT / "checkpoints" / "sentiment", dtype="auto")
    connection = duckdb.connect()
    add_function(connection, classifier)
    texts = ["A gripping film.", "Dull and far too long.", None] * 1000
    reviews = pa.table({"text": texts})  # noqa: F841 - DuckDB finds it by its name
    rows = connection.execute("SELECT sentiment(text) FROM reviews").fetchall()
    assert rows[2] == (None,)
    expected = classifier.predict(["A gripping film.", "Dull and far too long."]).max(axis=1).tolist()
    assert [(row[0]["label"], row[0]["score"]) for row in rows[-3:-1]] == [
        ("positive", expected[0]),
        ("negative", expected[1]),
    ]


def test_the_program_counts_the_labels_of_a_file(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": ["A gripping film.", "A gripping film."]}), tmp_path / "a.parquet")
    command = [sys.executable, "-m", "examples.duckdb_function", str(tmp_path / "a.parquet")]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    assert run.stdout.startswith("positive 2 0.")


def test_a_file_that_is_none_or_no_parquet_is_told_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "reviews.csv").write_text("review\nA gripping film.\n")
    for arguments, code, told in (
        (["--help"], 0, "a Parquet file with a column"),
        ([], 2, "Missing argument 'FILE'"),
        ([str(tmp_path / "reviews.csv")], 2, "reviews.csv cannot be read: "),
    ):
        run = CliRunner().invoke(main, arguments)
        assert (run.exit_code, told in run.output) == (code, True), run.output

"""The command `python -m app predict`, with the shipped checkpoint."""

import json
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from app.__main__ import cli
from model.classifier import Classifier

SENTIMENT = Path(__file__).parent.parent.parent.parent / "checkpoints" / "sentiment"


def test_a_file_is_labelled_as_the_classifier_labels_texts(tmp_path: Path) -> None:
    texts = ["A gripping film that never lets go.", "Dull from start to end.", "很好看"]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps({"id": 7, "text": text}) + "\n" for text in [*texts, ""]))
    output = tmp_path / "out.jsonl"
    result = CliRunner().invoke(
        cli, ["predict", str(SENTIMENT), str(tmp_path / "in.jsonl"), "--output", str(output), "--scores"]
    )
    assert result.exit_code == 0, result.output
    classifier = Classifier.load(SENTIMENT, dtype="auto", threads=1)
    rows = list(map(json.loads, output.read_text().splitlines()))
    assert [row["text"] for row in rows] == texts
    for row, expected in zip(rows, classifier.predict(texts).tolist(), strict=True):
        assert row["scores"] == pytest.approx(dict(zip(classifier.labels, expected, strict=True)), abs=1e-6)
        assert row["label"] == max(row["scores"], key=row["scores"].get)
        assert row["score"] == max(row["scores"].values())
    lines = result.stderr.splitlines()
    assert lines[0].startswith(f"{tmp_path}/in.jsonl: 4 rows from 4 lines; JSON lines, UTF-8")
    assert lines[1].startswith(f"wrote 3 rows to {output}: ")
    assert lines[2] == f"warning: 1 row without a label, with the cause in {output}.bad.jsonl"
    assert "texts per core-hour" in lines[3]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["gone.csv", "--output", "out.csv"], "Error: gone.csv: does not exist"),
        (["in.csv", "--output", "out"], "Error: out does not say the format: end it in .parquet"),
        (["in.csv", "--output", "out.csv", "--keep", "date"], "Error: in.csv: no column 'date'; the file has 'text'"),
        (["in.csv", "--output", "out.csv", "--text-column", "body"], "Error: in.csv: no column 'body'"),
        (["in.csv", "--output", "out.csv", "--dtype", "int4"], "Error: dtype 'int4' is not one of"),
        (["in.csv", "--output", "out.csv", "--only", "--keep", "text"], "Error: --only and --keep"),
        (["in.csv"], "Error: Missing option '--output'"),
        (["--output", "out.csv"], "Error: Missing argument 'INPUT...'"),
    ],
)
def test_a_wrong_call_is_a_sentence_and_code_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], sentence: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("in.csv").write_text("text\ngood\n")
    result = CliRunner().invoke(cli, ["predict", str(SENTIMENT), *arguments])
    assert result.exit_code == 2
    assert sentence in result.stderr
    assert "Traceback" not in result.output
    assert not Path("out.csv").exists()


def test_without_pyarrow_the_command_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.bulk.errors.find_spec", lambda name: None if name == "pyarrow" else sys)
    result = CliRunner().invoke(cli, ["predict", str(SENTIMENT), "in.csv", "--output", "out.csv"])
    assert result.exit_code == 2
    assert result.stderr.startswith("Error: Scoring files needs pyarrow, not installed here: pip install pyarrow ")


@pytest.mark.parametrize(
    ("option", "command"), [((), "the same command"), (("--overwrite",), "the same command without --overwrite")]
)
def test_ctrl_c_says_how_to_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, option: tuple[str, ...], command: str
) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("app.bulk.terminal.predict", stop)
    output = str(tmp_path / "out.csv")
    result = CliRunner().invoke(cli, ["predict", str(SENTIMENT), "in.csv", "--output", output, *option])
    assert result.exit_code == 1
    assert result.stderr == f"stopped; {command} goes on with {output}\n"

"""`label` with its two sources, and `agreement`."""

import csv
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from click.testing import Result

from tests.training.annotation.rule_server import by_words, rule_server
from tests.training.cli.commands import call

RULE = by_words({"fine": "good"}, "bad")


def test_a_language_model_labels_and_a_person_checks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    texts, output = tmp_path / "texts.csv", tmp_path / "labels.parquet"
    texts.write_text("body\n" + "".join(f"{'fine' if n % 2 else 'poor'} {n}\n" for n in range(10)))
    monkeypatch.setenv("KEY", "sk-secret")
    with rule_server(RULE) as server:
        common = ("label", texts, "--text-column", "body", "--output", output, "--endpoint", server.url, "--model", "m")
        options = ("--labels", "good,bad", "--key-variable", "KEY", "--review", 4)
        shown = call(*common, *options, "--show-prompt")
        assert (shown.exit_code, len(server.bodies)) == (0, 0)
        assert "- good\n- bad" in shown.output
        result = call(*common, *options)
        assert result.exit_code == 0, result.output
        assert server.headers[0]["Authorization"] == "Bearer sk-secret"
        assert "sk-secret" not in shown.output + result.output
    assert pq.read_table(output)["label"].to_pylist() == ["bad", "good"] * 5
    review = tmp_path / "labels.review.csv"
    with review.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    with review.open("w", newline="") as file:
        writer = csv.DictWriter(file, ["key", "text", "label"])
        writer.writeheader()
        writer.writerows(row | {"label": "good" if "fine" in row["text"] else "ugly"} for row in rows)
    compared = call("agreement", output, review, "--text-column", "body")
    assert compared.exit_code == 0, compared.output
    assert "warning: 'ugly' is no label that the model gave" in compared.output
    assert "agreement 2 of 4: 50.0% [15.0%, 85.0%]" in compared.output
    assert "Cohen's kappa 0.333" in compared.output
    assert "bad: the person says so, too, of 0 of 2" in compared.output
    assert "ugly               2     0     0" in compared.output


def test_a_teacher_labels_as_before(trained: tuple[Path, Result], reviews: Path, tmp_path: Path) -> None:
    output = tmp_path / "labels.parquet"
    result = call(
        *("label", reviews / "test.csv", "--teacher", trained[0], "--cache", tmp_path / "cache", "--output", output),
        *("--shard", "1/2", "--device", "cpu"),
    )
    assert result.exit_code == 0, result.output
    assert f"wrote the logits of {pq.read_metadata(output).num_rows:,} texts" in result.output


def test_options_of_the_other_source_are_refused(reviews: Path, tmp_path: Path) -> None:
    common = ("label", reviews / "test.csv", "--output", tmp_path / "labels.parquet")
    endpoint = ("--endpoint", "http://127.0.0.1:9/v1")
    for arguments, message in (
        ((), "name --endpoint URL or --teacher DIR"),
        (endpoint, "--endpoint needs --model"),
        ((*endpoint, "--model", "m"), "--endpoint needs --labels"),
        ((*endpoint, "--cache", "c"), "--cache does not go with --endpoint"),
        (("--teacher", "t", *endpoint), "--endpoint does not go with --teacher"),
        (("--teacher", "t"), "--teacher needs --cache"),
        ((*endpoint, "--model", "m", "--labels", "row,b"), "'row' is a column"),
    ):
        result = call(*common, *arguments)
        assert (result.exit_code, message in result.output) == (2, True), result.output


def test_an_endpoint_that_is_not_there_fails_without_a_traceback(tmp_path: Path, reviews: Path) -> None:
    result = call(
        *("label", reviews / "test.csv", "--output", tmp_path / "labels.parquet", "--labels", "a,b"),
        *("--endpoint", "http://127.0.0.1:9/v1", "--model", "m", "--retries", 0),
    )
    assert result.exit_code == 1
    assert "no answer from http://127.0.0.1:9/v1/chat/completions" in result.output
    assert isinstance(result.exception, SystemExit)


def test_help_lists_options_in_sections() -> None:
    shown = call("label", "--help").output
    sections = [line for line in shown.splitlines() if line.startswith("Options")]
    assert sections == ["Options:", "Options of a chat endpoint:", "Options of a teacher:"]
    assert shown.index("\n  --labels") > shown.index("Options of a chat endpoint:")
    assert shown.index("\n  --cache") > shown.index("Options of a teacher:")

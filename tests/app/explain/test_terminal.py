"""`python -m app explain`, with a real checkpoint, and what it shows of an explanation that was made up."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from app.__main__ import cli
from app.explain.terminal import lines_of
from model.explain.explanation import (
    Attribution,
    Explanation,
    Fault,
    Gates,
    LabelScore,
    LayerGates,
    Part,
    SentenceScore,
    Unexplained,
    UnitGates,
)


def run(*arguments: object, given: str | None = None) -> Result:
    return CliRunner().invoke(cli, ["explain", *map(str, arguments), "--threads", "1"], input=given)


def test_each_text_is_told_of(tiny_checkpoint: Path) -> None:
    result = run(tiny_checkpoint, "a good film", "难看的电影", "--gates", "--units", "0,5", "--label", "positive")
    assert result.exit_code == 0, result.output
    assert "a good film\n" in result.output
    assert result.output.count("log-odds of positive") == 2
    for word in ("good", "film", "难", "影"):
        assert f"\n  {word} " in result.output
    assert result.output.count("layer 0 forward, mean of all units") == 2
    assert result.output.count("layer 0 backward, unit 5") == 2


def test_json_is_an_object_a_line_as_the_server_has_it(tiny_checkpoint: Path) -> None:
    result = run(tiny_checkpoint, "--json", given="a good film\n\na bad film\n")
    found = [json.loads(line) for line in result.output.splitlines()]
    assert [entry["attribution"]["words"][1]["text"] for entry in found] == ["good", "bad"]
    assert set(found[0]) == {"label", "score", "scores", "tokens", "truncated", "attribution", "sentences"}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--label", "neutral"], "Error: the model has no such label\n"),
        (["--units", "6"], "Error: units are numbered 0 to 5\n"),
        (["--units", "many"], "give whole numbers with commas between"),
    ],
)
def test_a_wrong_call_is_a_sentence_and_code_2(tiny_checkpoint: Path, arguments: list[str], sentence: str) -> None:
    result = run(tiny_checkpoint, "a good film", *arguments)
    assert result.exit_code == 2
    assert sentence in result.stderr


def test_a_checkpoint_that_is_not_there_too(tmp_path: Path) -> None:
    result = run(tmp_path / "gone", "a good film")
    assert (result.exit_code, result.stderr) == (2, f"Error: {tmp_path / 'gone'}: there is no such folder\n")


def test_what_is_shown() -> None:
    words = [Part("不", 0, 1, -2.0, -3.5), Part("good\x1b[2J", 1, 9, 1.0, 0.25)]
    traced = Gates(forget=[0.25, 0.5], hidden=[-0.5, 1.0])
    layer = LayerGates(1, "backward", traced, [UnitGates(unit=7, forget=[0.75, 1.0], hidden=[0.0, 0.0])])
    found = Explanation(
        label="positive",
        score=0.25,
        scores=[LabelScore("negative", 0.75), LabelScore("positive", 0.25)],
        tokens=2,
        truncated=True,
        attribution=Attribution(-1.1, 0.1, 0.0012, 16, words, words),
        sentences=[SentenceScore("不good", 0, 5, "negative", 0.75)],
        gates=[layer],
    )
    assert list(lines_of("不good\x1b[2J", found)) == [
        "不good�[2J",
        "  negative 75.00%   positive 25.00%",
        "  only the first 2 tokens were read",
        "  log-odds of positive: -1.10, +0.10 without any text; 0.1% of the difference is not attributed",
        "",
        "  不         -2.00  -3.50  ████████████████│",
        "  good�[2J   +1.00  +0.25                  │████████",
        "",
        "  negative  75.00%  不good",
        "",
        "  layer 1 backward, mean of all units",
        "              forget    hidden",
        "  不            0.25     -0.50",
        "  good�[2J      0.50      1.00",
        "  layer 1 backward, unit 7",
        "              forget    hidden",
        "  不            0.75      0.00",
        "  good�[2J      1.00      0.00",
    ]


def test_a_text_that_is_not_explained_says_why() -> None:
    assert list(lines_of("long", Unexplained(Fault("text_too_long", "It is too long.")))) == [
        "long",
        "  not explained: It is too long.",
    ]

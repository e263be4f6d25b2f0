"""Leaks are counted by held-out file, and files made with --without have none."""

import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from model.checkpoint import load_checkpoint
from training.__main__ import main
from training.evaluation.leaks import FileLeaks, TrainingLeaks, count_leaks, with_section


def write(path: Path, texts: list[str]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({"text": texts, "label": ["positive"] * len(texts)}), path)
    return path


def call(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


HELD = [
    "So bad",
    "We waited an hour for soup. The waiter forgot our order of drinks twice. I will not come back.",
    "Nine of the ten songs on this record were written on the road between Leeds and York",
    "Nothing of this text stands anywhere else",
]
TRAIN = [
    "so bad!",
    "The waiter forgot our order of drinks twice. He laughed about it with the cook who did not care at all, it seems.",
    "They say nine of the ten songs on this record were written on the road between trains",
    "A clean room with a view of the sea, and a pool. I will not come back.",
    "And this is fine",
]


def test_each_kind_is_counted_once_for_its_file(tmp_path: Path) -> None:
    train, held = write(tmp_path / "a" / "train.parquet", TRAIN), write(tmp_path / "b" / "test.parquet", HELD)
    other = write(
        tmp_path / "c" / "test.parquet", ["Rain again. I will not come back. The tower was closed for works."]
    )
    added, files = count_leaks([train], [held, other], text_column="text", num_examples=1)
    assert added == [TrainingLeaks("a/train.parquet", 5, 3, ("so bad!",))]
    assert files == [
        FileLeaks("b/test.parquet", rows=4, whole=1, sentence=1, ngram=1, leaked=3, stock=0),
        FileLeaks("c/test.parquet", rows=1, whole=0, sentence=0, ngram=0, leaked=0, stock=1),
    ]


def test_the_command_tells_it_by_its_exit_code_and_mix_and_sentences_close_it(tmp_path: Path) -> None:
    train, held = write(tmp_path / "a" / "train.parquet", TRAIN), write(tmp_path / "b" / "test.parquet", HELD)
    open_ = call("leaks", train, "--held-out", held)
    assert open_.exit_code == 1
    assert "| b/test.parquet | 4 | 3 | 1 | 1 | 1 | 0 |" in open_.output
    assert "a/train.parquet: 3 of 5 texts leak\n  so bad!\n" in open_.output
    assert "3 held-out texts are leaked" in open_.output
    mixed, cut = tmp_path / "mixed.parquet", tmp_path / "cut.parquet"
    assert "held out 3" in call("mix", train, "--without", held, "--output", mixed).output
    assert call("sentences", train, "--without", held, "--output", cut).exit_code == 0
    assert pq.read_table(mixed)["text"].to_pylist() == TRAIN[3:]
    closed = call("leaks", mixed, cut, "--held-out", held)
    assert closed.exit_code == 0, closed.output
    assert "| all | 4 | 0 | 0 | 0 | 0 | 1 |" in closed.output


WORDS = ("a", "fine", "film", "with", "no", "plot", "好", "看", "not")
SENTENCE = st.lists(st.sampled_from(WORDS), min_size=1, max_size=6).map(" ".join)
TEXTS = st.lists(st.lists(SENTENCE, min_size=1, max_size=4).map(". ".join), min_size=1, max_size=8)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(held_out=TEXTS, texts=TEXTS)
def test_files_made_without_pass(tmp_path: Path, held_out: list[str], texts: list[str]) -> None:
    held, train = write(tmp_path / "b" / "test.parquet", held_out), write(tmp_path / "a" / "train.parquet", texts)
    mixed, cut = tmp_path / "mixed.parquet", tmp_path / "cut.parquet"
    safe = write(tmp_path / "c" / "train.parquet", ["Something else that nobody has written before"])
    assert call("mix", train, safe, "--without", held, "--output", mixed).exit_code == 0
    words = ("--min-words", 1, "--max-words", 30)
    assert call("sentences", train, safe, "--without", held, "--output", cut, *words).exit_code == 0
    assert call("leaks", mixed, cut, "--held-out", held).exit_code == 0


def test_the_card_has_the_table_once(tiny_checkpoint: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_checkpoint, tmp_path / "model")
    train, held = write(tmp_path / "a" / "train.parquet", TRAIN[4:]), write(tmp_path / "b" / "test.parquet", HELD)
    command = ("leaks", train, "--held-out", held, "--card", folder)
    first = call(*command)
    assert first.exit_code == 0, first.output
    once = load_checkpoint(folder)
    assert f"version {once.version} now" in first.output
    assert "| b/test.parquet | 4 | 0 | 0 | 0 | 0 | 0 |" in once.card
    assert "`a/train.parquet` (1)" in once.card
    assert call(*command).exit_code == 0
    assert load_checkpoint(folder).card == once.card


def test_a_card_keeps_its_other_sections() -> None:
    card = "# m\n\n## Data\n\nx\n\n## Robustness\n\ny\n\n## Limits\n\nz\n"
    once = with_section(card, [], [])
    titles = [line for line in once.splitlines() if line.startswith("## ")]
    assert titles == ["## Data", "## Leaks", "## Robustness", "## Limits"]
    assert with_section(once, [], []) == once

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

import training.teachers.labelling
from tables.parquet import write_parquet
from tests.training.teachers.hugging_face import write_classifier
from training.__main__ import main
from training.errors import RunError, UsageError
from training.teachers.label_file import LabelFile
from training.teachers.labelling import Labelled, label, write_labels


class Lengths:
    """Answers with the length of a text and its number of words; counts how many texts it was asked for."""

    labels = ("Words", "length")

    def __init__(self, name: str = "lengths", factor: float = 1.0) -> None:
        self.name, self.digest, self._factor, self.asked = name, name, factor, 0

    def logits(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        self.asked += len(texts)
        return np.array([[len(text.split()), len(text)] for text in texts], dtype=np.float32) * self._factor


TEXTS = ["aa bb", "c", "", "dd ee ff", "g h i j"]
EXPECTED = [[5, 2], [1, 1], [0, 0], [8, 3], [7, 4]]


@pytest.fixture(autouse=True)
def _small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training.teachers.labelling, "SHARD_TEXTS", 2)


def test_logits_come_in_the_order_of_texts_and_labels(tmp_path: Path) -> None:
    answers = label([Lengths()], TEXTS, ("length", "words"), {}, cache=tmp_path)
    assert answers is not None
    assert answers.logits_NC.tolist() == EXPECTED
    assert answers.known_N.all()


def test_several_teachers_are_averaged(tmp_path: Path) -> None:
    answers = label([Lengths(), Lengths("three", 3.0)], TEXTS, ("length", "words"), {}, cache=tmp_path)
    assert answers is not None
    assert answers.logits_NC.tolist() == (2 * np.array(EXPECTED)).tolist()


def test_a_file_answers_for_the_texts_that_it_knows(tmp_path: Path) -> None:
    write_parquet(tmp_path / "labels.parquet", {"text": TEXTS[:2], "length": [6.0, 8.0], "words": [1.0, 2.0]})
    file = LabelFile(tmp_path / "labels.parquet")
    alone = label([file], TEXTS, ("length", "words"), {}, cache=tmp_path)
    beside = label([file, Lengths()], TEXTS, ("length", "words"), {}, cache=tmp_path)
    assert alone is not None
    assert beside is not None
    assert alone.known_N.tolist() == [True, True, False, False, False]
    assert alone.logits_NC[:3].tolist() == [[6, 1], [8, 2], [0, 0]]
    assert beside.known_N.all()
    assert beside.logits_NC.tolist() == [[5.5, 1.5], [4.5, 1.5], *EXPECTED[2:]]


def test_a_stopped_labelling_goes_on_where_it_was(tmp_path: Path) -> None:
    teacher = Lengths()
    seen: list[Labelled] = []
    assert label([teacher], TEXTS, ("words",), {}, cache=tmp_path, report=seen.append, should_stop=lambda: True) is None
    assert (teacher.asked, seen[0].done, seen[0].total) == (2, 2, 5)
    assert label([teacher], TEXTS, ("words",), {}, cache=tmp_path, report=seen.append) is not None
    assert teacher.asked == 5
    assert [labelled.done for labelled in seen[1:]] == [2, 4, 5]
    assert seen[1].texts_per_s == 0


def test_only_new_texts_and_other_teachers_are_asked(tmp_path: Path) -> None:
    label([Lengths()], TEXTS, ("words",), {}, cache=tmp_path)
    changed, other = Lengths(), Lengths("other")
    answers = label([changed], ["g h i k", *TEXTS[1:], "g h i k"], ("words",), {}, cache=tmp_path)
    label([other], TEXTS, ("words",), {}, cache=tmp_path)
    assert answers is not None
    assert answers.logits_NC[:, 0].tolist() == [4, 1, 0, 3, 4, 4]
    assert (changed.asked, other.asked) == (1, 5)


def test_the_labels_of_files_are_written(tmp_path: Path) -> None:
    path = tmp_path / "texts.csv"
    path.write_text("text\naa bb\nc\naa bb\n")
    teacher, output = Lengths(), tmp_path / "out" / "labels.parquet"
    assert write_labels(teacher, [path, path], output, cache=tmp_path / "cache", text_column="text") == 2
    assert pq.read_table(output).to_pylist() == [
        {"text": "aa bb", "Words": 2.0, "length": 5.0},
        {"text": "c", "Words": 1.0, "length": 1.0},
    ]
    write_labels(teacher, [path], output, cache=tmp_path / "cache", text_column="text", shard=(2, 2))
    assert pq.read_table(output)["text"].to_pylist() == ["c"]
    with pytest.raises(UsageError, match="has a label 'length'"):
        write_labels(teacher, [path], output, cache=tmp_path / "cache", text_column="length")
    with pytest.raises(UsageError, match="is a file to read"):
        write_labels(teacher, [path], path, cache=tmp_path / "cache", text_column="text")


def test_a_damaged_shard_is_made_again(tmp_path: Path) -> None:
    teacher = Lengths()
    label([teacher], TEXTS, ("words",), {}, cache=tmp_path)
    next(tmp_path.glob("*/*.parquet")).write_bytes(b"half")
    answers = label([teacher], TEXTS, ("length", "words"), {}, cache=tmp_path)
    assert answers is not None
    assert answers.logits_NC.tolist() == EXPECTED
    assert 5 < teacher.asked < 10


def test_logits_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="not finite"):
        label([Lengths(factor=float("nan"))], TEXTS, ("words",), {}, cache=tmp_path)


def test_the_command_asks_a_teacher_once(tmp_path: Path) -> None:
    teacher, texts = write_classifier(tmp_path / "teacher"), tmp_path / "texts.csv"
    texts.write_text("text\ngood film\nbad\n")
    call = ["label", str(texts), "--teacher", str(teacher), "--cache", str(tmp_path / "cache"), "--device", "cpu"]
    first = CliRunner().invoke(main, [*call, "--output", str(tmp_path / "first.parquet")])
    assert first.exit_code == 0, first.output
    assert "teacher: labelled 2 of 2 texts" in first.output
    again = CliRunner().invoke(main, [*call, "--output", str(tmp_path / "again.parquet")])
    assert "labelled 2 of 2 texts, 0 texts/s" in again.output
    assert pq.read_table(tmp_path / "first.parquet").column_names == ["text", "negative", "positive"]
    assert pq.read_table(tmp_path / "first.parquet") == pq.read_table(tmp_path / "again.parquet")


@pytest.mark.parametrize("shard", ["0/2", "3/2", "1", "a/b"])
def test_a_shard_is_a_part_of_a_whole(tmp_path: Path, shard: str) -> None:
    arguments = ["label", "x", "--teacher", "t", "--cache", "c", "--output", str(tmp_path / "o"), "--shard", shard]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 2
    assert f"'{shard}' is not K/N" in result.output

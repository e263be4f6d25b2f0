"""Teaching and distilling as a user does: a tiny transformer learns from labels, students learn from it."""

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from model.checkpoint import load_checkpoint
from model.classifier import Classifier
from tests.training.cli.commands import call, metrics_of
from tests.training.conftest import FILLING, TINY, WORDS
from tests.training.teachers.hugging_face import write_encoder
from training.artifacts.run_folder import RunFolder
from training.config.config import TrainConfig
from training.config.request import Request
from training.data.config import DataConfig
from training.data.corpus import read_corpus
from training.evaluation.evaluate import logits_of
from training.runs.distill import score_teachers
from training.teachers.hugging_face import Floats

STUDENT = [
    *TINY,
    *("--set", "architecture.embedding_dim=16", "--set", "ngrams.buckets=0"),
    *("--set", "distill.augment.variants=4", "--seed", 3),
]


@pytest.fixture(scope="module")
def teacher(reviews: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A transformer that knows the words of the reviews."""
    folder = tmp_path_factory.mktemp("teachers")
    vocabulary = (*FILLING, *WORDS["good"], *WORDS["bad"], "no", *(f"##{digit}" for digit in range(10)))
    result = call(
        "teach", "--encoder", write_encoder(folder / "encoder", vocabulary), "--train", reviews / "train.csv",
        "--validation", reviews / "test.csv", "--output", folder / "teacher",
        "--set", "epochs=12", "--set", "learning_rate=0.005", "--set", "batch_rows=8",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert float(result.output.split("validation accuracy ")[-1].split(";")[0]) >= 0.95
    return folder / "teacher"


@pytest.fixture(scope="module")
def contrary(reviews: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The training texts, each with the wrong label."""
    path = tmp_path_factory.mktemp("data") / "contrary.csv"
    with (reviews / "train.csv").open(encoding="utf-8") as source, path.open("w", encoding="utf-8") as target:
        rows = list(csv.reader(source))[1:]
        wrong = {"good": "bad", "bad": "good"}
        csv.writer(target).writerows([("text", "label"), *((text, wrong[label]) for text, label in rows)])
    return path


@pytest.fixture(scope="module")
def student(teacher: Path, contrary: Path, reviews: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A student of the teacher, given nothing but wrong labels."""
    output = tmp_path_factory.mktemp("students") / "student"
    files = ["--train", contrary, "--validation", reviews / "test.csv", "--unlabeled", reviews / "train.csv"]
    result = call("distill", "--teacher", teacher, *files, "--output", output, *STUDENT)
    assert result.exit_code == 0, result.output
    for line in ("transfer set: 120 texts and ", "starting vectors: ", "teacher: labelled ", "120 texts"):
        assert line in result.output
    return output


def test_a_student_learns_from_the_teacher_and_not_from_the_labels(student: Path, reviews: Path) -> None:
    assert metrics_of(student)["evaluations"]["validation"]["scores"]["accuracy"] >= 0.95
    assert metrics_of(student)["training_accuracy"] <= 0.05


def test_the_students_logits_are_near_the_teachers(student: Path, teacher: Path, reviews: Path) -> None:
    from training.teachers.teacher import columns_for, load_teacher, student_logits

    classifier = Classifier.load(student)
    texts = ["the film a superb plot", "awful actors with music", "dull scenes", "a lovely film"]
    large = load_teacher(teacher, max_tokens=64, device=torch.device("cpu"))
    expected = student_logits(large.logits(texts), columns_for(large, classifier.labels, {}))
    np.testing.assert_allclose(logits_of(classifier, classifier.encode(texts)), expected, atol=1.25)


def test_the_record_names_the_teacher_and_no_path(student: Path, teacher: Path, contrary: Path) -> None:
    metrics, card = metrics_of(student), (student / "README.md").read_text(encoding="utf-8")
    [record] = metrics["teachers"]
    assert record["name"] == "teacher"
    assert f"| teacher | {record['scores']['validation']:.4f} | `{record['digest']}` |" in card
    assert "| unlabeled 1 | train.csv | 120 |" in card
    assert "distill --train contrary.csv --validation test.csv" in metrics["command"]
    assert "--teacher teacher --unlabeled train.csv" in metrics["command"]
    text = (student / "metrics.json").read_text(encoding="utf-8") + card
    assert str(teacher.parent) not in text
    assert str(contrary.parent) not in text
    assert not RunFolder(student).path.exists()


def test_stopped_while_labelling_and_while_training_then_resumed_equals_uninterrupted(
    student: Path, teacher: Path, contrary: Path, reviews: Path, tmp_path: Path
) -> None:
    output = tmp_path / "student"
    files = ["--train", contrary, "--validation", reviews / "test.csv", "--unlabeled", reviews / "train.csv"]
    stopped = call("distill", "--teacher", teacher, *files, "--output", output, *STUDENT, stop_after=0)
    assert stopped.exit_code == 130
    assert f"to go on: python -m training distill --output {output} --resume" in stopped.output
    assert not RunFolder(output).has_state
    assert call("distill", "--output", output, "--resume", stop_after=13).exit_code == 130
    assert RunFolder(output).has_state
    resumed = call("distill", "--output", output, "--resume")
    assert resumed.exit_code == 0, resumed.output
    expected, actual = load_checkpoint(student), load_checkpoint(output)
    assert all((actual.weights[name] == tensor).all() for name, tensor in expected.weights.items())
    for key in ("evaluations", "calibration", "data", "command", "config", "teachers"):
        assert actual.metrics[key] == expected.metrics[key], key


def test_a_checkpoint_teaches_and_its_logits_can_be_kept(student: Path, reviews: Path, tmp_path: Path) -> None:
    files = ["--teacher", student, "--train", reviews / "train.csv", "--cache", tmp_path / "logits"]
    calls = ["distill", *files, "--test", reviews / "test.csv", *STUDENT, "--set", "distill.hard_share=0.5"]
    first = call(*calls, "--output", tmp_path / "a")
    assert first.exit_code == 0, first.output
    assert "starting vectors" not in first.output  # those of a checkpoint belong to its own tokenizer
    shards = {path: path.stat().st_mtime_ns for path in (tmp_path / "logits").iterdir()}
    second = call(*calls, "--output", tmp_path / "b", "--set", "distill.loss=kl")
    assert second.exit_code == 0, second.output
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "logits").iterdir()} == shards
    assert metrics_of(tmp_path / "b")["evaluations"]["test"]["scores"]["accuracy"] >= 0.9
    assert str(tmp_path) not in (tmp_path / "b" / "metrics.json").read_text(encoding="utf-8")


def test_a_teacher_can_be_left_the_texts_without_labels(
    teacher: Path, contrary: Path, reviews: Path, tmp_path: Path
) -> None:
    # The labels of the training texts are wrong: that they are learned, and the teacher's answers to others, tells who
    # taught what.
    (tmp_path / "more.csv").write_text("text\na lovely plot\nawful music\nlovely actors\na dull plot\n")
    files = ["--teacher", teacher, "--train", contrary, "--unlabeled", tmp_path / "more.csv"]
    options = ["--set", "distill.hard_share=1", "--set", "distill.loss=kl", "--set", "distill.augment.variants=0"]
    result = call("distill", *files, "--output", tmp_path / "student", *STUDENT, *options)
    assert result.exit_code == 0, result.output
    assert "labelled 4 of 4 texts" in result.output
    metrics, card = metrics_of(tmp_path / "student"), (tmp_path / "student" / "README.md").read_text(encoding="utf-8")
    assert metrics["training_accuracy"] >= 0.9
    assert metrics["teachers"][0]["scores"] == {}
    assert "Labels taught it the texts that have one; of the others" in card
    assert f"| teacher | SHA-256 |\n| --- | --- |\n| teacher | `{metrics['teachers'][0]['digest']}` |" in card


def test_a_file_of_labels_teaches_and_labels_teach_the_rest(
    teacher: Path, contrary: Path, reviews: Path, tmp_path: Path
) -> None:
    output, logits = tmp_path / "student", tmp_path / "logits.parquet"
    labelled = call("label", reviews / "train.csv", "--teacher", teacher, "--cache", tmp_path / "c", "--output", logits)
    assert labelled.exit_code == 0, labelled.output
    # All labels are wrong. Half of the texts are in the teacher's file, and one more that has no label.
    table = pq.read_table(logits)
    rows = [*table.slice(0, 60).to_pylist(), {**table.slice(0, 1).to_pylist()[0], "text": "a lovely lovely plot"}]
    pq.write_table(pa.Table.from_pylist(rows), logits)
    files = ["--teacher", logits, "--train", contrary, "--validation", reviews / "test.csv"]
    options = ["--set", "loop.epochs=1", "--set", "tokenizer.min_frequency=1"]
    result = call("distill", *files, "--output", output, *STUDENT, *options)
    assert result.exit_code == 0, result.output
    assert "transfer set: 121 texts and 0 variants" in result.output
    assert "starting vectors" not in result.output
    assert metrics_of(output)["teachers"][0]["name"] == "logits.parquet"
    options += ["--set", "distill.labelled_only=true"]
    alone = call("distill", *files, "--output", tmp_path / "alone", *STUDENT, *options)
    assert alone.exit_code == 0, alone.output
    assert "transfer set: 120 texts and 0 variants" in alone.output
    more = tmp_path / "more.csv"
    more.write_text("text\nfilm film film\n")
    unknown = call("distill", *files, "--unlabeled", more, "--output", tmp_path / "b", *STUDENT)
    assert unknown.exit_code == 2
    assert "1 texts have neither a label nor a teacher that knows them, the first of them 'film film film'" in (
        unknown.output
    )


def test_a_file_of_vectors_can_be_the_start(student: Path, reviews: Path, tmp_path: Path) -> None:
    (tmp_path / "vectors.txt").write_text("film " + " ".join(["0.5", "1"] * 8), encoding="utf-8")
    files = ["--teacher", student, "--train", reviews / "train.csv", "--vectors", tmp_path / "vectors.txt"]
    result = call("distill", *files, "--output", tmp_path / "a", *STUDENT, "--set", "loop.epochs=1")
    assert result.exit_code == 0, result.output
    assert "starting vectors: 1 of " in result.output
    assert metrics_of(tmp_path / "a")["config"]["distill.vectors"] == "vectors.txt"


def test_folds_are_left_out_and_told_of(student: Path, reviews: Path, tmp_path: Path) -> None:
    files = ["--teacher", student, "--train", reviews / "train.csv", "--output", tmp_path / "m"]
    options = ["--set", "data.folds=5", "--set", "distill.augment.variants=0", "--set", "tokenizer.vocab_size=600"]
    result = call("distill", *files, *options, stop_after=0)
    assert result.exit_code == 130, result.output
    assert "without folds: data.folds=5 is for train alone; 10% of the training texts are held out" in result.output
    assert "transfer set: 108 texts and 0 variants\n" in result.output
    assert RunFolder(tmp_path / "m").request(Request).config.data.folds == 0


def test_wrong_calls_are_told_in_a_sentence(student: Path, teacher: Path, reviews: Path, tmp_path: Path) -> None:
    start = ("distill", "--output", tmp_path / "m", "--train", reviews / "train.csv")
    small = ("--set", "tokenizer.vocab_size=600")
    for arguments, message in (
        ((*start,), "no teacher; give --teacher FOLDER"),
        ((*start, "--teacher", tmp_path), "not a model's folder"),
        ((*start, "--teacher", student, "--label-map", "good"), "write OURS=TEACHERS"),
        ((*start, "--teacher", student, "--label-map", "good=fine"), "no teacher has that label; there are bad, good"),
        ((*start, "--teacher", student, "--set", "distill.hard_share=1", "--set", "distill.augment.variants=0"),
         "the texts without labels, and there are none"),
        ((*start, "--teacher", student, "--validation", reviews / "train.csv"), "has every text that the student"),
        ((*start, "--teacher", student, "--unlabeled", tmp_path / "x.csv"), "does not exist"),
        ((*start, "--teacher", teacher, *small, "--set", "distill.augment.variants=0"),
         "say --set architecture.embedding_dim=16"),
        (("teach", "--encoder", teacher, "--train", reviews / "lists.jsonl", "--validation", reviews / "test.csv",
          "--output", tmp_path / "t"), "a teacher is fine-tuned on one label a text"),
    ):  # fmt: skip
        result = call(*arguments, *(["--overwrite"] if arguments[0] == "distill" else []))
        assert (result.exit_code, message in result.output) == (2, True), result.output
        assert isinstance(result.exception, SystemExit), "a traceback"


class Misled:
    """A teacher that knows good from bad, and finds neutral more likely than either."""

    name, digest, labels = "misled", "0", ("bad", "good", "neutral", "plain")

    def logits(self, texts: Sequence[str]) -> Floats:
        good = [any(word in text for word in WORDS["good"]) for text in texts]
        return np.array([[1.0 - one, 1.0 * one, 9.0, 0.0] for one in good], dtype=np.float32)


def test_a_teacher_is_scored_among_the_labels_of_a_set(mixture: Path, reviews: Path) -> None:
    data = DataConfig(train=str(mixture), test=str(reviews / "test.csv"), source_column="source")
    corpus = read_corpus(data, seed=0, data_root=reviews)
    (record,) = score_teachers([Misled()], corpus, TrainConfig(data=data))
    assert record.scores["test"] == 1.0

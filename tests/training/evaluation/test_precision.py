"""Thresholds that a checkpoint gets from its training, or later from a file."""

import csv
import shutil
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from model.checkpoint import load_checkpoint, save_checkpoint
from model.classifier import Classifier
from model.config import PrecisionThreshold
from tests.conftest import make_checkpoint
from training.__main__ import main
from training.data.choices import with_choices
from training.data.dataset import read_dataset
from training.evaluation.evaluate import evaluate, rules_for
from training.evaluation.precision import find_thresholds, with_section

TEXTS = [f"{first} {second}" for first in "abcdefghij" for second in ("good", "bad", "film", "plot", "star")]


def call(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def write(path: Path, texts: list[str], labels: list[str]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("text", "label"), *zip(texts, labels, strict=True)])
    return path


def chosen(checkpoint: Path, texts: list[str]) -> list[str]:
    classifier = Classifier.load(checkpoint, device="cpu")
    return [classifier.labels[row.argmax()] for row in classifier.predict(texts)]


@pytest.fixture
def checkpoint(tiny_checkpoint: Path, tmp_path: Path) -> Path:
    return shutil.copytree(tiny_checkpoint, tmp_path / "tiny")


def test_a_checkpoint_gets_thresholds_and_keeps_its_answers(checkpoint: Path, tmp_path: Path) -> None:
    before, texts = load_checkpoint(checkpoint), TEXTS * 4
    file = write(tmp_path / "held_out.csv", texts, chosen(checkpoint, texts))
    result = call("precision", checkpoint, file, "--device", "cpu")
    assert result.exit_code == 0, result.output

    after = load_checkpoint(checkpoint)
    lowest = Classifier(before, device="cpu").predict(texts).max(axis=1).min()
    # 200 right answers show 95%, and would be all right in 13% of cases if 99% were.
    assert after.config.precision_thresholds == (
        PrecisionThreshold(precision=0.90, threshold=lowest, coverage=1.0),
        PrecisionThreshold(precision=0.95, threshold=lowest, coverage=1.0),
        PrecisionThreshold(precision=0.99, threshold=None, coverage=0.0),
    )
    assert after.version != before.version
    assert f"the version is now {after.version}" in result.output
    assert f"95%       {lowest:.4f}    100.0%" in result.output
    assert "99%  not reached      0.0%" in result.output
    assert subprocess.run(["sha256sum", "-c", "SHA256SUMS"], cwd=checkpoint, capture_output=True).returncode == 0
    assert after.config.model_copy(update={"precision_thresholds": ()}) == before.config
    assert after.metrics == before.metrics
    assert (Classifier(after, device="cpu").predict(texts) == Classifier(before, device="cpu").predict(texts)).all()
    assert f"| 95% | {lowest:.4f} | 100.0% |" in after.card
    assert after.card.startswith(before.card)

    assert call("precision", checkpoint, file, "--device", "cpu").exit_code == 0
    assert load_checkpoint(checkpoint).card == after.card

    few = call("precision", checkpoint, write(tmp_path / "few.csv", texts[:10], chosen(checkpoint, texts[:10])))
    assert f"warning: 95% had a threshold of {lowest:.4f}, and is not reached on these 10 texts" in few.output
    assert "warning: 99%" not in few.output


def test_evaluation_measures_the_thresholds_on_its_file(checkpoint: Path, tmp_path: Path) -> None:
    texts = TEXTS * 4
    labels = chosen(checkpoint, texts)
    assert call("precision", checkpoint, write(tmp_path / "held_out.csv", texts, labels)).exit_code == 0
    labels[::4] = ["negative" if label == "positive" else "positive" for label in labels[::4]]
    result = call("evaluate", checkpoint, write(tmp_path / "other.csv", texts, labels), "--device", "cpu")
    assert result.exit_code == 0, result.output
    assert "min. 95%     0.7500 right of 1.0000 answered" in result.output
    assert "min. 99%     no answer" in result.output


def test_a_label_that_the_set_of_a_text_lacks_is_a_mistake(tmp_path: Path) -> None:
    """As the server answers: among all labels, not among those that the text's set has."""
    save_checkpoint(tmp_path / "three", make_checkpoint(labels=("negative", "neutral", "positive")))
    classifier = Classifier.load(tmp_path / "three", device="cpu")
    rows = classifier.predict(TEXTS)
    truth = ["negative" if negative > positive else "positive" for negative, _, positive in rows]
    dataset = read_dataset(
        write(tmp_path / "two.csv", TEXTS, truth), text_column="text", label_column="label", rules=rules_for(classifier)
    )
    dataset = with_choices(dataset)
    neutral = rows.argmax(axis=1) == 1
    assert neutral.any()
    assert evaluate(classifier, dataset).evaluation.scores.accuracy == 1
    wanted = PrecisionThreshold(precision=0.5, threshold=0.0, coverage=1.0)
    classifier.precision_thresholds = (wanted,)
    (kept,) = evaluate(classifier, dataset).evaluation.kept
    assert kept.precision == pytest.approx(1 - neutral.mean())
    assert find_thresholds(classifier, dataset)[2] == PrecisionThreshold(precision=0.99, threshold=None, coverage=0)


def test_best_label_of_a_multi_label_model_is_right_if_the_text_has_it(tmp_path: Path) -> None:
    checkpoint = make_checkpoint(labels=("a", "b", "c"))
    config = checkpoint.config.model_copy(update={"task": "multi_label"})
    save_checkpoint(tmp_path / "many", type(checkpoint)(config, checkpoint.weights, checkpoint.tokenizer, {}, ""))
    texts = TEXTS * 2
    classifier = Classifier.load(tmp_path / "many", device="cpu")
    labels = ["|".join(sorted({classifier.labels[row.argmax()], "a"})) for row in classifier.predict(texts)]
    dataset = read_dataset(
        write(tmp_path / "many.csv", texts, labels),
        text_column="text",
        label_column="label",
        rules=rules_for(classifier),
    )
    assert dataset.task == "multi_label"
    lowest = float(classifier.predict(texts).max(axis=1).min())
    assert find_thresholds(classifier, dataset)[0] == PrecisionThreshold(precision=0.9, threshold=lowest, coverage=1)


@pytest.mark.parametrize(
    ("card", "before", "after"),
    [
        ("# A\n\n## Scores\n\n1\n\n## Data\n\n2\n", "# A\n\n## Scores\n\n1\n\n## Abstaining\n", "\n\n## Data\n\n2\n"),
        ("# A\n\n## Abstaining\n\nold\n\n## Robustness\n\n3\n", "# A\n\n## Abstaining\n", "\n\n## Robustness\n\n3\n"),
        ("# A\n\n## Abstaining\n\nold\n", "# A\n\n## Abstaining\n", "it says nothing.\n"),
        ("# A\n", "# A\n\n## Abstaining\n", "it says nothing.\n"),
    ],
)
def test_section_of_a_card(card: str, before: str, after: str) -> None:
    found = PrecisionThreshold(precision=0.9, threshold=0.75, coverage=0.5)
    written = with_section(card, [found], 1234)
    assert written.startswith(before)
    assert written.endswith(after)
    assert "| 90% | 0.7500 | 50.0% |\n" in written
    assert "1,234 held-out texts" in written
    assert "\nold\n" not in written
    assert with_section(written, [found], 1234) == written


def test_a_card_promises_less_of_texts_that_chose_the_weights() -> None:
    found = PrecisionThreshold(precision=0.9, threshold=0.75, coverage=0.5)
    said = "These texts chose the weights too, so the chance is less"
    assert said in with_section("# A\n", [found], 150, chose=True)
    assert said not in with_section("# A\n", [found], 150)


def test_labels_that_the_checkpoint_does_not_know_are_named(checkpoint: Path, tmp_path: Path) -> None:
    result = call("precision", checkpoint, write(tmp_path / "held_out.csv", ["a", "b"], ["positive", "neutral"]))
    assert result.exit_code == 2
    assert "neutral" in result.output
    assert load_checkpoint(checkpoint).config.precision_thresholds == ()

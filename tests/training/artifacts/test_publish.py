"""Temperature and thresholds are fitted after training, on the right texts."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from model.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from model.classifier import Classifier
from model.config import CheckpointConfig, Task
from tests.conftest import make_checkpoint
from training.artifacts.publish import calibrate, compare
from training.artifacts.record import Calibration
from training.data.config import DataConfig
from training.data.corpus import Corpus, read_corpus
from training.data.dataset import read_dataset
from training.evaluation.evaluate import evaluate, logits_of, truth_for, worst_mistakes
from training.metrics.calibration import calibration_error, fit_temperature
from training.metrics.decisions import confidence


def raw(task: str = "single_label") -> Checkpoint:
    made = make_checkpoint(labels=("a", "b"))
    return dataclasses.replace(made, config=made.config.model_copy(update={"temperature": 1.0, "task": task}))


def corpus(folder: Path, *, lists: bool = False) -> Corpus:
    """Random labels; validation is parted by hand into its first 60 texts and its last 60."""
    rng = np.random.default_rng(0)
    for name in ("train", "validation"):
        rows = []
        for i in range(120):
            text = f"{name} {i} " + " ".join(rng.choice(["good", "bad", "film", "boring", "charming"], size=4))
            label = rng.choice(['["a"]', '["a", "b"]', '["b"]', "[]"]) if lists else f'"{"ab"[rng.integers(2)]}"'
            rows.append(f'{{"text": "{text}", "label": {label}}}')
        (folder / f"{name}.jsonl").write_text("\n".join(rows), encoding="utf-8")
    files = {name: str(folder / f"{name}.jsonl") for name in ("train", "validation")}
    made = read_corpus(DataConfig.model_validate(files), seed=0, data_root=folder)
    stopping, calibration = made.validation.take(range(60)), made.validation.take(range(60, 120))
    return dataclasses.replace(made, stopping=stopping, calibration=calibration)


def test_the_temperature_is_that_of_the_texts_kept_for_it(tmp_path: Path) -> None:
    texts, plain = corpus(tmp_path), raw()
    classifier = Classifier(plain, device="cpu")
    calibrated = calibrate(plain, classifier, texts)

    def best(part: object) -> float:
        encoded = classifier.encode(part.texts)  # type: ignore[attr-defined]
        return fit_temperature(logits_of(classifier, encoded), truth_for(part, classifier), task="single_label")  # type: ignore[arg-type]

    assert calibrated.config.temperature == best(texts.calibration)
    assert calibrated.config.temperature != best(texts.stopping)
    assert calibrated.config.thresholds is None
    validation = evaluate(Classifier(calibrated, device="cpu"), texts.validation)
    told = compare(calibrated, validation, texts)
    assert (told.rows, told.apart, told.macro_f1_after) == (60, True, None)
    assert told.nll_before == pytest.approx(evaluate(classifier, texts.validation).evaluation.scores.nll, rel=1e-4)


@pytest.mark.parametrize("lists", [False, True])
def test_chinese_texts_have_a_temperature_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lists: bool
) -> None:
    monkeypatch.setattr("training.metrics.calibration.ENOUGH_OF_A_LANGUAGE", 30)
    task: Task = "multi_label" if lists else "single_label"
    texts, plain = corpus(tmp_path, lists=lists), raw(task)
    bilingual = texts.validation
    for row in range(0, len(bilingual), 2):
        bilingual.texts[row] = "很好看的电影" if row % 4 else "难看的电影"
    texts = dataclasses.replace(texts, held_out={"validation": bilingual}, stopping=bilingual, calibration=bilingual)
    calibrated = calibrate(plain, Classifier(plain, device="cpu"), texts)
    assert calibrated.config.chinese_temperature not in (None, calibrated.config.temperature)
    save_checkpoint(tmp_path / "out", calibrated)
    validation = evaluate(Classifier.load(tmp_path / "out", device="cpu"), texts.validation)
    told = compare(calibrated, validation, texts)
    assert told.nll_after < told.nll_before
    chinese = np.arange(len(bilingual)) % 2 == 0
    sure_M, right_M = confidence(validation.probabilities_NC[chinese], validation.truth_NC[chinese], task=task)
    assert told.chinese_ece == calibration_error(sure_M, right_M)
    assert told.other_ece not in (None, told.chinese_ece)


@pytest.mark.parametrize(("num_texts", "fitted"), [(6, False), (49, False), (50, True)])
def test_few_texts_fit_no_temperature_and_no_thresholds(tmp_path: Path, num_texts: int, fitted: bool) -> None:
    for lists, task in ((False, "single_label"), (True, "multi_label")):
        texts, plain = corpus(tmp_path, lists=lists), raw(task)
        texts = dataclasses.replace(texts, calibration=texts.validation.take(range(num_texts)))
        calibrated = calibrate(plain, Classifier(plain, device="cpu"), texts)
        assert (calibrated.config.temperature != 1) == fitted
        assert (calibrated.config.thresholds is not None) == (fitted and lists)
        validation = evaluate(Classifier(calibrated, device="cpu"), texts.validation)
        assert compare(calibrated, validation, texts).rows == (num_texts if fitted else 0)


def test_thresholds_are_fitted_stored_and_used(tmp_path: Path) -> None:
    texts, plain = corpus(tmp_path, lists=True), raw("multi_label")
    calibrated = calibrate(plain, Classifier(plain, device="cpu"), texts)
    save_checkpoint(tmp_path / "out", calibrated)
    classifier = Classifier.load(tmp_path / "out", device="cpu")
    assert classifier.thresholds == calibrated.config.thresholds
    assert classifier.thresholds is not None

    result = evaluate(classifier, texts.calibration)
    chosen_NC = result.probabilities_NC >= np.array(classifier.thresholds)
    assert result.evaluation.scores.accuracy == (chosen_NC == result.truth_NC).all(axis=1).mean()
    assert result.evaluation.uncalibrated is not None
    assert result.evaluation.scores.macro_f1 > result.evaluation.uncalibrated.macro_f1
    mistakes = worst_mistakes(result, texts.calibration, classifier, 100)
    assert len(mistakes) == (chosen_NC != result.truth_NC).any(axis=1).sum()


def test_a_text_counts_as_much_as_it_weighs(tmp_path: Path) -> None:
    texts, plain = corpus(tmp_path, lists=True), raw("multi_label")
    classifier, times_N = Classifier(plain, device="cpu"), np.repeat([4, 1], 30)
    weighed = dataclasses.replace(texts.calibration, weights=times_N.astype(np.float32))
    repeated = texts.calibration.take(np.repeat(np.arange(60), times_N).tolist())
    found, expected, alike = (
        calibrate(plain, classifier, dataclasses.replace(texts, calibration=part)).config
        for part in (weighed, repeated, texts.calibration)
    )
    assert found.temperature == pytest.approx(expected.temperature, rel=1e-5)
    assert found.thresholds == pytest.approx(expected.thresholds)
    assert (found.temperature, found.thresholds) != (alike.temperature, alike.thresholds)


@pytest.mark.parametrize(
    ("fields", "cause"),
    [
        ({"thresholds": (0.5,), "task": "multi_label"}, "1 thresholds for 2 labels"),
        ({"thresholds": (0.5, 0.5)}, "multi_label only"),
        ({"thresholds": (0.5, 1.5), "task": "multi_label"}, "less than or equal to 1"),
    ],
)
def test_thresholds_that_do_not_fit_are_refused(fields: dict[str, object], cause: str) -> None:
    known = raw().config.model_dump()
    with pytest.raises(ValidationError, match=cause):
        CheckpointConfig.model_validate(known | fields)


def test_files_from_before_thresholds_still_load(tiny_checkpoint: Path, tmp_path: Path) -> None:
    known = load_checkpoint(tiny_checkpoint).config.model_dump()
    del known["thresholds"]
    assert CheckpointConfig.model_validate(known).thresholds is None
    old = {"temperature": 1.2, "ece_before": 0.1, "ece_after": 0.1, "nll_before": 0.1, "nll_after": 0.1}
    assert Calibration.model_validate(old).rows is None
    (tmp_path / "x.csv").write_text("text,label\ngood,positive\nbad,negative\n", encoding="utf-8")
    data = read_dataset(tmp_path / "x.csv", text_column="text", label_column="label")
    assert evaluate(Classifier.load(tiny_checkpoint, device="cpu"), data).evaluation.uncalibrated is not None

"""The temperature of a text, alike for the classifier and the explainer, and no change where there is one number."""

import dataclasses
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from model.checkpoint import Checkpoint
from model.classifier import Classifier
from model.config import CheckpointConfig
from model.explain.explainer import Explainer
from model.explain.explanation import Options
from model.temperature import Temperature
from tests.conftest import make_checkpoint

TEXTS = ["a good film", "很好看的电影", "a good 电影", "", "😀"]
LENGTHS = (3, 0, 2)
ROWS = [np.arange(length, dtype=np.int32) for length in LENGTHS]


def with_config(**fields: Any) -> Checkpoint:
    made = make_checkpoint()
    return dataclasses.replace(made, config=made.config.model_copy(update=fields))


def test_one_number_for_all_divides_as_it_always_did() -> None:
    logits_NC = np.random.default_rng(0).normal(size=(3, 2)).astype(np.float32)
    divided_NC = Temperature(1.7).divide(logits_NC, ROWS)
    assert divided_NC.dtype == np.float32
    assert np.array_equal(divided_NC, logits_NC / np.float32(1.7))
    assert Temperature(1.7).divide(logits_NC[:0], []).shape == (0, 2)


def test_the_inverse_is_a_mean_by_the_share_of_chinese_tokens() -> None:
    marks_V = np.array([True, False, True])
    found = Temperature(2.0, 0.5, marks_V).of(ROWS)
    by_hand = [1 / (1 / 3 / 2 + 2 / 3 / 0.5), 2.0, 1 / (0.5 / 2 + 0.5 / 0.5)]
    assert found[:, 0].tolist() == pytest.approx(by_hand)


@pytest.mark.parametrize("task", ["single_label", "multi_label"])
def test_each_language_has_its_own(task: str) -> None:
    both = Classifier(with_config(task=task, temperature=2.0, chinese_temperature=0.5), device="cpu").predict(TEXTS)
    english = Classifier(with_config(task=task, temperature=2.0), device="cpu").predict(TEXTS)
    chinese = Classifier(with_config(task=task, temperature=0.5), device="cpu").predict(TEXTS)
    assert np.array_equal(both[[0, 3, 4]], english[[0, 3, 4]])
    assert np.array_equal(both[1], chinese[1])
    low, high = np.sort([english[2], chinese[2]], axis=0)
    assert ((low < both[2]) & (both[2] < high)).all()
    assert np.array_equal(both.argmax(axis=1), english.argmax(axis=1)), "a temperature changed an answer"


def test_explanations_are_of_the_probabilities_served() -> None:
    checkpoint = with_config(temperature=2.0, chinese_temperature=0.5)
    served = Classifier(checkpoint, device="cpu").predict(TEXTS)
    explained = Explainer(checkpoint).explain(TEXTS, Options())
    for row, explanation in zip(served, explained, strict=True):
        scores = {score.label: score.score for score in explanation.scores}  # type: ignore[union-attr]
        assert [scores[label] for label in checkpoint.config.labels] == pytest.approx(row, abs=1e-5)


def test_files_from_before_still_load_and_odd_values_do_not() -> None:
    known = make_checkpoint().config.model_dump()
    with pytest.raises(ValidationError, match="chinese_temperature"):
        CheckpointConfig.model_validate(known | {"chinese_temperature": 0})
    del known["chinese_temperature"]
    assert CheckpointConfig.model_validate(known).chinese_temperature is None

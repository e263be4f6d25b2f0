"""Sentence vectors beside the words: what is learned, and that nothing changes without them."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from model.batch import Ids
from model.padding import pad
from tests.training.language_model.test_model import CPU, NONE, PLAIN, assert_resumes, build, grammar, trainer
from training.errors import DivergedError
from training.fit.objective import Rows, mixed_precision
from training.language_model.config import LanguageDropouts, VectorsConfig
from training.language_model.targets import Targets
from training.language_model.trainer import Imitation, LanguageTrainer, perplexity

TRAIN, VALIDATION = grammar(200, 1), grammar(20, 2)


def vectors_of(windows: list[Ids], *, every: int = 1) -> Targets:
    """The first token's direction on a circle, for each `every`-th window."""
    angles = np.array([ids[0] for ids in windows]) * (2 * np.pi / 12)
    matrix = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float16)
    rows = np.where(np.arange(len(windows)) % every == 0, np.arange(len(windows)), -1)
    return Targets("circle", matrix, np.zeros(2, dtype=np.float32), rows)


def imitating(
    *, every: int = 1, epochs: int = 15, dropouts: LanguageDropouts = NONE, **options: float
) -> LanguageTrainer:
    config = VectorsConfig.model_validate(options)
    imitation = Imitation(config, [vectors_of(TRAIN, every=every)], [vectors_of(VALIDATION)])
    loop = PLAIN.model_copy(update={"epochs": epochs, "softmax_samples": 6})
    return LanguageTrainer(build(dropouts, loop), TRAIN, VALIDATION, seed=3, device=CPU, imitation=imitation)


class WordsAlone(LanguageTrainer):
    """The loss as it was before there were sentence vectors."""

    def _loss(self, rows: Rows) -> Tensor:
        model = self.model.train()
        padded = pad([self.train[i] for i in rows]).to(self._device)
        with mixed_precision(self._device, self._dtype):
            readings = model.read(padded.ids_TB, padded.lengths_B)
            outputs_NE = torch.cat([reading.outputs_NE for reading in readings])
            targets_N = torch.cat([reading.targets_N for reading in readings])
            penalty = torch.stack([reading.penalty for reading in readings]).mean()
            return model._cross_entropy(outputs_NE, targets_N).mean() + penalty


def test_without_vectors_nothing_changes() -> None:
    loop = PLAIN.model_copy(update={"softmax_samples": 4, "epochs": 2, "activation": 2.0, "temporal": 1.0})
    dropouts = LanguageDropouts(word=0.1, token=0.1, embedding=0.1, recurrent=0.2, output=0.2)
    now, before = trainer(loop, dropouts), WordsAlone(build(dropouts, loop), TRAIN, VALIDATION, seed=3, device=CPU)
    losses: tuple[list[float], list[float]] = ([], [])
    assert now.run(lambda progress: losses[0].append(progress.loss))
    torch.manual_seed(3)
    assert before.run(lambda progress: losses[1].append(progress.loss))
    assert losses[0] == losses[1]
    for name, weight in before.model.state_dict().items():
        assert torch.equal(weight, now.model.state_dict()[name]), name
    assert now.cosines() == []
    assert now.history[-1]["validation"] == perplexity(now.model, VALIDATION, CPU)[0]


def test_vectors_and_words_are_learned_together() -> None:
    learning = imitating(weight=3)
    assert learning.cosines()[0] < 0.8
    assert learning.run()
    assert learning.cosines()[0] > 0.97
    assert perplexity(learning.model, VALIDATION, CPU)[0] < 2
    readings = [reading["validation"] for reading in learning.history]
    assert learning.best == min(readings) < readings[0]


def test_the_score_is_the_weighted_loss() -> None:
    learning = imitating(weight=3, language=0.5, pairwise=0, epochs=1)
    learning.run()
    expected = 0.5 * math.log(perplexity(learning.model, VALIDATION, CPU)[0]) + 3 * (1 - learning.cosines()[0])
    assert learning.best == pytest.approx(expected, rel=1e-4)


def test_texts_without_vectors_learn_words_alone() -> None:
    learning = imitating(every=2, weight=3)
    assert learning.run()
    assert learning.cosines()[0] > 0.9
    only_words = imitating(every=10**6, epochs=1)  # one text has a vector
    assert only_words.run()
    assert only_words.imitation is not None
    assert only_words.imitation.train[0].count == 1


def test_a_perplexity_beyond_all_numbers_is_an_error_that_says_what_to_do() -> None:
    learning = trainer(PLAIN, LanguageDropouts())
    with torch.no_grad():
        learning.model.bias[0] = 1e5
    with pytest.raises(DivergedError, match=r"nats a token\. Most often the learning rate is too high"):
        perplexity(learning.model, VALIDATION, CPU)


def test_the_words_may_be_left_out() -> None:
    learning = imitating(language=0, weight=3)
    before = perplexity(learning.model, VALIDATION, CPU)[0]
    bias = learning.model.bias.clone()
    assert learning.run()
    assert learning.cosines()[0] > 0.97
    assert perplexity(learning.model, VALIDATION, CPU)[0] > 0.8 * before
    torch.testing.assert_close(learning.model.bias, bias)


def test_pooled_states_are_those_of_a_classifier() -> None:
    model, batch = build().eval(), pad([*VALIDATION[:3], np.array([1, 2], dtype=np.int32)])
    pooled = model.pooled(model.read(batch.ids_TB, batch.lengths_B), batch.lengths_B)
    encoder = model.classifier.encoder
    encoder.shape = encoder.shape.model_copy(update={"pooling": "max_mean_last"})
    expected = encoder(model.classifier.embed(batch.ids_TB), batch.lengths_B)
    assert pooled.shape == (4, model.pooled_size)
    torch.testing.assert_close(pooled, expected)


@pytest.mark.parametrize("stop_at", [1, 30])
def test_stopped_and_resumed_is_as_if_never_stopped(tmp_path: Path, stop_at: int) -> None:
    dropouts = LanguageDropouts(word=0.1, embedding=0.1, recurrent=0.2, output=0.2)
    assert_resumes(lambda: imitating(epochs=2, every=3, dropouts=dropouts), tmp_path, stop_at)

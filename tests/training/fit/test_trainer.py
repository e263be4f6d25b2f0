"""The loop learns, picks by validation, and resumes exactly."""

import json
import math
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open

from model.config import Architecture
from model.encoder import Dropouts
from model.network import RecurrentClassifier
from training.data.choices import NEVER
from training.errors import DivergedError
from training.fit.objective import MakeObjective, Supervised
from training.fit.semi_supervised import SemiConfig, SemiSupervised
from training.fit.state import STATE
from training.fit.steps import Progress
from training.fit.trainer import Examples, LoopConfig, Trainer

CPU = torch.device("cpu")
CONFIG = LoopConfig(epochs=3, batch_rows=16, min_steps=1, learning_rate=5e-3, patience=50, average_decay=0.9)


def _examples(count: int, seed: int) -> Examples:
    """Order decides: label 1 when token 1 comes before token 2."""
    rng = np.random.default_rng(seed)
    ids, targets = [], []
    for _ in range(count):
        row = rng.integers(3, 20, rng.integers(4, 12)).astype(np.int32)
        first, second = sorted(rng.choice(len(row), 2, replace=False))
        target = int(rng.integers(2))
        row[first], row[second] = (1, 2) if target else (2, 1)
        ids.append(row)
        targets.append(target)
    return Examples(ids, np.array(targets))


def _accuracy(logits: np.ndarray, targets: np.ndarray) -> float:
    return float((logits.argmax(1) == targets).mean())


def _trainer(
    config: LoopConfig = CONFIG,
    seed: int = 0,
    examples: int = 320,
    dtype: torch.dtype = torch.float32,
    objective: MakeObjective = Supervised,
) -> Trainer:
    torch.manual_seed(7)
    shape = Architecture(vocab_size=20, embedding_dim=8, hidden_size=8)
    network = RecurrentClassifier(shape, 2, Dropouts(embedding=0.1, word=0.05, recurrent=0.1, pooled=0.1))
    return Trainer(
        network, _examples(examples, 1), _examples(100, 2), config,
        measure=_accuracy, seed=seed, device=CPU, dtype=dtype, objective=objective,
    )  # fmt: skip


def test_learns_the_order_of_two_words() -> None:
    trainer = _trainer(CONFIG.model_copy(update={"epochs": 25, "learning_rate": 1e-2}))
    assert trainer.run()
    assert trainer.best is not None
    assert trainer.best > 0.95
    assert _accuracy(trainer.logits(_examples(200, 3)), _examples(200, 3).targets) > 0.9
    assert trainer.history[0]["loss"] > trainer.history[-1]["loss"]


def test_logits_are_among_the_labels_of_each_text() -> None:
    trainer, examples = _trainer(), _examples(3, 3)
    allowed = np.array([[True, True], [False, True], [True, False]])
    every, some = trainer.logits(examples), trainer.logits(replace(examples, allowed=allowed))
    assert some[~allowed].tolist() == [NEVER, NEVER]
    assert some[allowed].tolist() == every[allowed].tolist()


def test_the_best_weights_are_restored_and_not_the_last() -> None:
    trainer = _trainer(CONFIG.model_copy(update={"epochs": 8, "learning_rate": 2e-2}))
    scores = iter([0.1, 0.9, 0.2, 0.3, 0.4] + [0.0] * 50)
    kept: list[torch.Tensor] = []

    def measure(logits: np.ndarray, targets: np.ndarray) -> float:
        score = next(scores)
        if score == 0.9:
            kept.append(torch.as_tensor(logits).clone())
        return score

    trainer._measure = measure
    trainer.run()
    np.testing.assert_array_equal(trainer.logits(trainer.validation), kept[0].numpy())


def test_a_run_of_few_steps_ends_with_weights_that_have_learned() -> None:
    trainer = _trainer(CONFIG.model_copy(update={"epochs": 1}), examples=64)
    began = trainer.network.head.weight.clone()
    read: list[float] = []

    def measure(logits: np.ndarray, targets: np.ndarray) -> float:
        read.append(float(logits[0, 0]))
        return len(read)

    trainer._measure = measure
    assert trainer.run()
    assert trainer.history[-1]["step"] < 8
    assert len(set(read)) == 2
    assert not torch.equal(trainer.network.head.weight, began)


def test_stops_when_patience_is_over() -> None:
    trainer = _trainer(CONFIG.model_copy(update={"patience": 3, "epochs": 50}))
    trainer._measure = lambda logits, targets: 0.5
    trainer.run()
    assert len(trainer.history) == 4


def test_the_same_seed_gives_the_same_curve_and_another_another() -> None:
    curves = []
    for seed in (0, 0, 1):
        losses: list[float] = []
        _trainer(seed=seed).run(lambda p, losses=losses: losses.append(p.loss))  # type: ignore[misc]
        curves.append(losses)
    assert curves[0] == curves[1]
    assert curves[0] != curves[2]


@pytest.mark.parametrize(("stop_at", "dtype"), [(1, torch.float32), (20, torch.bfloat16), (37, torch.float32)])
def test_stopped_and_resumed_is_as_if_never_stopped(tmp_path: Path, stop_at: int, dtype: torch.dtype) -> None:
    straight: list[Progress] = []
    whole = _trainer(dtype=dtype)
    assert whole.run(straight.append)

    halves: list[Progress] = []
    first = _trainer(dtype=dtype)
    assert not first.run(halves.append, lambda: len(halves) == stop_at)
    first.save_state(tmp_path)
    second = _trainer(dtype=dtype)
    second.load_state(tmp_path)
    assert second.run(halves.append)

    assert [p.loss for p in halves] == [p.loss for p in straight]
    assert [h["validation"] for h in second.history] == [h["validation"] for h in whole.history]
    for name, weight in whole.network.state_dict().items():
        assert torch.equal(weight, second.network.state_dict()[name]), name


def test_balanced_class_weights_reach_the_loss() -> None:
    losses = []
    for class_weights in ("none", "balanced"):
        trainer = _trainer(CONFIG.model_copy(update={"class_weights": class_weights, "epochs": 1}))
        trainer.run(lambda progress: losses.append(progress.loss), lambda: True)
    assert losses[0] != losses[1]


def test_multi_label_targets_train_a_sigmoid_each() -> None:
    base = _examples(200, 1)
    both = np.stack([base.targets, np.array([9 in row for row in base.ids])], axis=1).astype(np.float32)
    torch.manual_seed(0)
    network = RecurrentClassifier(Architecture(vocab_size=20, embedding_dim=16, hidden_size=16), 2)
    examples = Examples(base.ids, both)

    def exact(logits: np.ndarray, targets: np.ndarray) -> float:
        return float(((logits > 0) == (targets > 0.5)).mean())

    config = CONFIG.model_copy(update={"epochs": 25, "learning_rate": 1e-2})
    trainer = Trainer(network, examples, examples, config, measure=exact, seed=0, device=CPU)
    trainer.run()
    assert trainer.best is not None
    assert trainer.best > 0.95


def test_twenty_seeded_steps_reproduce_the_stored_curve() -> None:
    """Guards refactorings: within 2e-3, the spread seen between processors' float32 kernels."""
    losses: list[float] = []
    config = CONFIG.model_copy(update={"learning_rate": 3e-2, "warmup": 0.0})
    _trainer(config).run(lambda p: losses.append(p.loss), lambda: len(losses) == 20)
    assert losses[3::4] == pytest.approx([0.6857, 0.7354, 0.5942, 0.4741, 0.4058], abs=2e-3)


def test_a_scale_makes_batches_larger_and_the_rest_follows() -> None:
    given, scaled = _trainer(CONFIG), _trainer(CONFIG.model_copy(update={"batch_scale": 4.0}))
    assert (given.batch_scale, scaled.batch_scale) == (1, 4)
    assert given.config == CONFIG
    assert (given.total_steps, scaled.total_steps) == (60, 15)
    assert scaled.config.learning_rate == 2 * CONFIG.learning_rate
    assert scaled.config.average_decay == CONFIG.average_decay**4
    scaled.run()
    assert max(reading["learning_rate"] for reading in scaled.history) > CONFIG.learning_rate


def test_a_resumed_run_keeps_the_batches_that_it_began_with(tmp_path: Path) -> None:
    """Those of a GPU, for example, where a CPU goes on."""
    straight: list[float] = []
    whole = _trainer(CONFIG.model_copy(update={"batch_scale": 4.0}))
    whole.run(lambda progress: straight.append(progress.loss))
    first = _trainer(CONFIG.model_copy(update={"batch_scale": 4.0}))
    first.run(should_stop=lambda: first._position.step == 7)
    first.save_state(tmp_path)
    second, losses = _trainer(CONFIG), straight[:7]
    assert second.total_steps == 60
    second.load_state(tmp_path)
    second.run(lambda progress: losses.append(progress.loss))
    assert (second.batch_scale, second.total_steps) == (4, 15)
    assert losses == straight


def test_a_gpu_scales_batches_of_labelled_texts_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.fit.trainer.automatic_scale", lambda *_, **__: 2.0)
    assert _trainer().batch_scale == 2
    assert _trainer(CONFIG.model_copy(update={"batch_scale": 3.0})).batch_scale == 3
    objective = partial(SemiSupervised, config=SemiConfig(), task="single_label", unlabeled=None)
    assert _trainer(objective=objective).batch_scale == 1


def test_the_state_of_batches_as_the_settings_say_is_what_it_was(tmp_path: Path) -> None:
    for name, scale in (("given", None), ("scaled", 2.0)):
        _trainer(CONFIG.model_copy(update={"batch_scale": scale})).save_state(tmp_path / name)
    positions = []
    for name in ("given", "scaled"):
        with safe_open(tmp_path / name / STATE, framework="pt") as file:
            positions.append(json.loads(file.metadata()["position"]))
    assert "batch_scale" not in positions[0]
    assert positions[1]["batch_scale"] == 2


@pytest.mark.parametrize(("rows", "steps"), [(100, 13), (1_000, 125), (10_000, 152)])
def test_small_sets_get_smaller_batches_and_so_enough_steps(rows: int, steps: int) -> None:
    trainer = _trainer(LoopConfig(epochs=1, batch_rows=128), examples=rows)
    assert trainer.total_steps == pytest.approx(steps, abs=2)


def test_a_gradient_that_is_not_finite_stops_before_it_does_harm() -> None:
    trainer = _trainer()
    assert not trainer.run(should_stop=lambda: trainer._position.step == 3)
    before = {name: weight.clone() for name, weight in trainer.network.weights().items()}
    trainer._objective = lambda network, batch, rows, step: network(batch.ids_TB, batch.lengths_B).mean() * math.nan
    with pytest.raises(DivergedError, match=r"step 4 \(epoch 0\.15\): the gradient is not finite, at a loss of nan"):
        trainer.run()
    assert trainer._position.step == trainer._optimizer.step_count == 3
    assert all((weight == before[name]).all() for name, weight in trainer.network.weights().items())


def test_a_part_of_examples_is_like_the_whole() -> None:
    ids = [np.array([place], dtype=np.int32) for place in range(3)]
    soft, weights = np.eye(3, dtype=np.float32), np.array([1, 2, 3], dtype=np.float32)
    whole = Examples(ids, soft, soft > 0, weights, exclusive=True)
    part = whole.take(np.array([2, 0]))
    assert [row.tolist() for row in part.ids] == [[2], [0]]
    assert part.allowed is not None
    assert part.weights is not None
    assert (part.targets.tolist(), part.weights.tolist(), part.exclusive) == (soft[[2, 0]].tolist(), [3, 1], True)

"""The terms beside the labelled loss: what they add, on which texts, and that training with them resumes exactly."""

import math
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from model.config import Architecture, Task
from model.encoder import Dropouts
from model.network import RecurrentClassifier
from model.padding import pad
from tests.training.fit.test_trainer import CONFIG, CPU, _accuracy, _examples
from training.fit.imitation import entropy
from training.fit.objective import Supervised
from training.fit.semi_supervised import SemiConfig, SemiSupervised, UnlabeledBatches
from training.fit.steps import Progress
from training.fit.trainer import Trainer

ALL_ON = SemiConfig(adversarial=1.0, virtual_adversarial=1.0, entropy=1.0, epsilon=1.0)


def test_entropy_by_hand() -> None:
    logits = torch.tensor([[0.0, math.log(3)], [0.0, 0.0], [0.0, 100.0]])
    quarter = -(0.25 * math.log(0.25) + 0.75 * math.log(0.75))
    assert entropy(logits, "single_label").tolist() == pytest.approx([quarter, math.log(2), 0.0])
    assert entropy(logits, "multi_label").tolist() == pytest.approx(
        [(math.log(2) + quarter) / 2, math.log(2), math.log(2) / 2]
    )


@pytest.mark.parametrize("task", ["single_label", "multi_label"])
def test_the_entropy_is_a_mean_over_the_texts_with_and_without_labels(task: Task) -> None:
    torch.manual_seed(0)
    network = RecurrentClassifier(Architecture(vocab_size=20, embedding_dim=4, hidden_size=4), 2).train()
    labelled, unlabeled = (pad([np.array(row, dtype=np.int32) for row in ids]) for ids in ([[1, 2], [3]], [[4, 5, 6]]))
    objective = SemiSupervised(
        lambda logits_BC, rows: logits_BC.sum() * 0 + 7,
        torch.float32,
        config=SemiConfig(entropy=2.0),
        task=task,
        unlabeled=lambda step: unlabeled,
    )
    logits = torch.cat([network(batch.ids_TB, batch.lengths_B) for batch in (labelled, unlabeled)])
    expected = 7 + 2 * entropy(logits, task).mean()
    torch.testing.assert_close(objective(network, labelled, np.arange(2), 0), expected)


def unlabeled_batches(num_texts: int = 300, **changes: int) -> UnlabeledBatches:
    rng = np.random.default_rng(5)
    ids = [rng.integers(1, 20, rng.integers(1, 30)).astype(np.int32) for _ in range(num_texts)]
    settings = {"rows": 8, "max_tokens": 160, "seed": 3} | changes
    return UnlabeledBatches(ids, **settings)


def test_the_batch_without_labels_is_a_function_of_seed_and_step() -> None:
    batches = unlabeled_batches()
    chosen = [batches.choose(step).tolist() for step in range(50)]
    assert chosen == [unlabeled_batches().choose(step).tolist() for step in range(50)]
    assert len({tuple(places) for places in chosen}) == 50
    assert chosen != [unlabeled_batches(seed=4).choose(step).tolist() for step in range(50)]
    assert all(len(set(places)) == len(places) for places in chosen)


def test_batches_without_labels_are_of_like_length_within_bounds_and_reach_every_text() -> None:
    batches = unlabeled_batches()
    made = [batches(step) for step in range(400)]
    assert all(batch.ids_TB.numel() <= 160 and batch.ids_TB.shape[1] <= 8 for batch in made)
    padded, tokens = sum(b.ids_TB.numel() for b in made), sum(int(b.lengths_B.sum()) for b in made)
    assert tokens / padded > 0.9
    assert len({place for step in range(400) for place in batches.choose(step).tolist()}) == 300


@pytest.mark.parametrize("num_texts", [1, 7, 12])
def test_a_few_texts_without_labels_are_enough(num_texts: int) -> None:
    places = unlabeled_batches(num_texts, max_tokens=10_000).choose(0)
    assert len(places) == min(8, num_texts)
    assert unlabeled_batches(num_texts, max_tokens=1)(0).ids_TB.shape[1] == 1


def trainer(config: SemiConfig | None) -> Trainer:
    torch.manual_seed(7)
    shape = Architecture(vocab_size=20, embedding_dim=8, hidden_size=8)
    network = RecurrentClassifier(shape, 2, Dropouts(embedding=0.1, word=0.05, recurrent=0.1, pooled=0.1))
    objective = (
        Supervised
        if config is None
        else partial(SemiSupervised, config=config, task="single_label", unlabeled=unlabeled_batches())
    )
    settings = CONFIG.model_copy(update={"epochs": 2})
    return Trainer(
        network, _examples(160, 1), _examples(60, 2), settings, measure=_accuracy, seed=0, device=CPU,
        objective=objective,
    )  # fmt: skip


def curve(run: Trainer) -> list[float]:
    losses: list[float] = []
    run.run(lambda progress: losses.append(progress.loss))
    return losses


def test_terms_of_no_weight_change_no_bit() -> None:
    plain = trainer(None)
    plain_curve = curve(plain)
    zero = trainer(SemiConfig())
    assert curve(zero) == plain_curve
    assert curve(trainer(ALL_ON))[0] > plain_curve[0]
    for name, weight in plain.network.state_dict().items():
        assert torch.equal(weight, zero.network.state_dict()[name]), name


@pytest.mark.parametrize("stop_at", [1, 13])
def test_stopped_and_resumed_is_as_if_never_stopped(tmp_path: Path, stop_at: int) -> None:
    whole = trainer(ALL_ON)
    straight = curve(whole)
    halves: list[Progress] = []
    first = trainer(ALL_ON)
    assert not first.run(halves.append, lambda: len(halves) == stop_at)
    first.save_state(tmp_path)
    second = trainer(ALL_ON)
    second.load_state(tmp_path)
    assert second.run(halves.append)
    assert [progress.loss for progress in halves] == straight
    for name, weight in whole.network.state_dict().items():
        assert torch.equal(weight, second.network.state_dict()[name]), name


def test_texts_without_labels_need_a_term_that_reads_them() -> None:
    for config in ({}, {"adversarial": 1.0}):
        with pytest.raises(ValidationError, match=r"--set semi\.virtual_adversarial=1"):
            SemiConfig.model_validate(config | {"unlabeled": ["a.csv"]})
    assert not SemiConfig().is_on
    assert SemiConfig(unlabeled=("a.csv",), entropy=0.1).is_on

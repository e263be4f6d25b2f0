"""The number that is explained, against its definition."""

import numpy as np
import pytest
import torch

from model.config import Task
from model.explain.log_odds import occlusions
from model.padding import pad
from tests.model.explain.random_odds import LENGTHS, all_of, random_odds, random_rows


@pytest.mark.parametrize("task", ["single_label", "multi_label"])
def test_the_target_is_the_log_odds_of_the_calibrated_probability(task: Task) -> None:
    odds, rows = random_odds(task, ngram_buckets=16), random_rows(*LENGTHS)
    batch = pad(rows)
    logits = (odds.network(batch.ids_TB, batch.lengths_B).detach().numpy() / 1.7).astype(float)
    p = np.exp(logits)[:, 2]
    p = p / (1 + p) if task == "multi_label" else p / np.exp(logits).sum(1)
    np.testing.assert_allclose(odds.values(rows, all_of(rows, 2)), np.log(p / (1 - p)), atol=1e-5)
    np.testing.assert_allclose(odds.probabilities(odds.logits(rows))[:, 2], p, atol=1e-6)


def test_log_odds_do_not_overflow_where_a_probability_is_one() -> None:
    odds = random_odds()
    value = odds.of_logits(torch.tensor([[200.0, -200.0, -300.0]]), torch.tensor([0]))
    assert value.item() == pytest.approx(400.0)


def test_occlusion_is_the_log_odds_less_those_without_the_part() -> None:
    odds, (row,) = random_odds(ngram_buckets=16), random_rows(4)
    found = occlusions(odds, row, [range(1), range(1, 3), range(4)], 2)
    rests = [row[1:], row[[0, 3]], row[:0]]
    expected = [odds.values([row], all_of([row], 2))[0] - odds.values([rest], all_of([rest], 2))[0] for rest in rests]
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert occlusions(odds, row[:0], [], 0).shape == (0,)

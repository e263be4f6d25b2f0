"""A regression over pooled states, and the head that gives its logits."""

import numpy as np
import pytest
import torch

from model.config import Architecture, Task
from model.network import RecurrentClassifier
from model.probabilities import probabilities
from training.linear import probe
from training.linear.nbsvm import ALWAYS
from training.linear.probe import Features, choose_strength, fit_logistic, pooled_states
from training.linear.targets import Targets
from training.metrics.decisions import one_hot

RNG = np.random.default_rng(0)


def test_maps_are_scaled_to_vectors_of_mean_length_one_and_folded_into_the_head() -> None:
    pooled_NP = RNG.normal(size=(20, 6))
    maps = [(100 * RNG.normal(size=(4, 6)), RNG.normal(size=4)), (RNG.normal(size=(3, 6)), np.zeros(3))]
    features = Features.of_maps(maps, pooled_NP)
    features_NF = features(pooled_NP)
    assert features_NF.shape == (20, 7)
    for part in (features_NF[:, :4], features_NF[:, 4:]):
        assert np.linalg.norm(part, axis=1).mean() == pytest.approx(1)
    weight_CF, bias_C = RNG.normal(size=(2, 7)), RNG.normal(size=2)
    weight_CP, bias_of_head = features.head(weight_CF, bias_C)
    np.testing.assert_allclose(pooled_NP @ weight_CP.T + bias_of_head, features_NF @ weight_CF.T + bias_C)


@pytest.mark.parametrize("num_labels", [2, 3])
def test_the_logits_are_those_of_the_regression(num_labels: int) -> None:
    places_N = RNG.integers(num_labels, size=90)
    features_NF = np.eye(num_labels)[places_N] + 0.3 * RNG.normal(size=(90, num_labels))
    weight_CF, bias_C = fit_logistic(features_NF, Targets(one_hot(places_N, num_labels)), 10.0, "single_label")
    logits_NC = features_NF @ weight_CF.T + bias_C
    assert (logits_NC.argmax(axis=1) == places_N).mean() > 0.9
    assert logits_NC.sum(axis=1) == pytest.approx(np.zeros(90), abs=1e-6)


def test_labels_of_one_text_each_are_fitted_without_a_word() -> None:
    truth_NC = np.eye(21, dtype=bool)
    weight_CF, bias_C = fit_logistic(np.eye(21), Targets(truth_NC), 10.0, "single_label")
    assert ((np.eye(21) @ weight_CF.T + bias_C).argmax(axis=1) == np.arange(21)).all()


def test_a_label_without_texts_is_never_given_and_one_alone_always() -> None:
    features_NF = RNG.normal(size=(8, 2))
    truth_NC = np.zeros((8, 3), dtype=bool)
    truth_NC[:4, 0] = truth_NC[4:, 2] = True
    weight_CF, bias_C = fit_logistic(features_NF, Targets(truth_NC), 1.0, "single_label")
    assert not weight_CF[1].any()
    assert bias_C[1] == -ALWAYS
    assert weight_CF[[0, 2]].any(axis=1).all()
    truth_NC[:] = [True, False, False]
    for task in ("single_label", "multi_label"):
        weight_CF, bias_C = fit_logistic(features_NF, Targets(truth_NC), 1.0, task)
        assert not weight_CF.any()
        assert bias_C.tolist() == [ALWAYS, -ALWAYS, -ALWAYS]


def test_several_labels_are_a_regression_each() -> None:
    features_NF = RNG.normal(size=(60, 2))
    truth_NC = features_NF > 0
    weight_CF, _ = fit_logistic(features_NF, Targets(truth_NC), 100.0, "multi_label")
    assert (np.diag(weight_CF) > 5 * np.abs(weight_CF[[0, 1], [1, 0]])).all()


def test_the_strength_is_that_of_the_least_loss_on_texts_held_out() -> None:
    places_N = RNG.integers(2, size=200)
    signal_NF = np.where(places_N, 1.0, -1.0)[:, None] * [[1.0, 0.0]] + 0.4 * RNG.normal(size=(200, 2))
    halves = [(np.arange(100), np.arange(100, 200)), (np.arange(100, 200), np.arange(100))]
    assert choose_strength(signal_NF, Targets(one_hot(places_N, 2)), halves, "single_label") > probe.STRENGTHS[0]
    noise_NF = RNG.normal(size=(200, 40))
    assert choose_strength(noise_NF, Targets(one_hot(places_N, 2)), halves, "single_label") == probe.STRENGTHS[0]


def test_pooled_states_are_what_the_head_sees() -> None:
    torch.manual_seed(0)
    network = RecurrentClassifier(Architecture(vocab_size=30, embedding_dim=4, hidden_size=3), 2)
    rows = [np.array([5, 6, 7], dtype=np.int32), np.array([8], dtype=np.int32)]
    pooled_NP = torch.from_numpy(pooled_states(network, rows, torch.device("cpu")))
    with torch.inference_mode():
        ids_TB = torch.tensor([[5, 8], [6, 0], [7, 0]])
        expected = network.eval()(ids_TB, torch.tensor([3, 1]))
        torch.testing.assert_close(network.head(pooled_NP), expected)


def test_a_text_of_weight_zero_counts_for_nothing() -> None:
    rng = np.random.default_rng(0)
    features_NF, truth_NC = rng.normal(size=(60, 4)), one_hot(rng.integers(0, 3, 60), 3)
    weighed = Targets(truth_NC, weights_N=np.repeat([1.0, 0.0], 30))
    found = fit_logistic(features_NF, weighed, 1.0, "single_label")
    expected = fit_logistic(features_NF[:30], Targets(truth_NC[:30]), 1.0, "single_label")
    assert np.array_equal(found[0], expected[0])
    alike = fit_logistic(features_NF, Targets(truth_NC, weights_N=np.zeros(60)), 1.0, "single_label")
    assert np.array_equal(alike[0], fit_logistic(features_NF, Targets(truth_NC), 1.0, "single_label")[0])


def test_held_out_texts_choose_the_strength_as_much_as_they_weigh() -> None:
    places_N = RNG.integers(2, size=400)
    features_NF = np.where(places_N, 1.0, -1.0)[:, None] + 0.4 * RNG.normal(size=(400, 1))
    places_N[100:] = 1 - places_N[100:]  # most labels are wrong, and weigh next to nothing
    weights_N = np.where(np.arange(400) < 100, 1.0, 1e-6)
    parts = [(np.flatnonzero(np.arange(400) % 2 == k), np.flatnonzero(np.arange(400) % 2 != k)) for k in (0, 1)]
    truth_NC = one_hot(places_N, 2)
    strong = choose_strength(features_NF, Targets(truth_NC, weights_N=weights_N), parts, "single_label")
    assert strong > probe.STRENGTHS[0]
    weight_CF, _ = fit_logistic(features_NF, Targets(truth_NC, weights_N=weights_N), strong, "single_label")
    assert weight_CF[1, 0] > 0


@pytest.mark.parametrize("task", ["single_label", "multi_label"])
def test_a_regression_follows_the_probabilities_of_labels(task: Task) -> None:
    features_NF = np.repeat([[-1.0], [1.0]], 500, axis=0)
    shares_NC = np.repeat([[0.9, 0.1], [0.4, 0.6]], 500, axis=0)
    targets = Targets(shares_NC > 0.5, shares_NC)
    weight_CF, bias_C = fit_logistic(features_NF, targets, 1000.0, task)
    found_NC = probabilities(features_NF @ weight_CF.T + bias_C, task=task)
    np.testing.assert_allclose(found_NC, shares_NC, atol=0.01)

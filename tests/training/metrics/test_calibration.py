import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

from model.config import Task
from model.probabilities import probabilities
from training.metrics.calibration import (
    ENOUGH_OF_A_LANGUAGE,
    MOST_GIVEN,
    TEMPERATURE_RANGE,
    calibration_error,
    calibration_error_by_chance,
    calibration_error_equal_mass,
    fit_by_language,
    fit_temperature,
    fit_temperatures,
    fit_thresholds,
    loss_slope,
)
from training.metrics.decisions import decide, one_hot
from training.metrics.scores import losses, precision_recall_f1


def draw(seed: int, task: Task, *, temperature: float = 1.0, rows: int = 4000) -> tuple[np.ndarray, np.ndarray]:
    """Logits whose honest probabilities are those of `logits / temperature`."""
    rng = np.random.default_rng(seed)
    logits_NC = rng.normal(scale=2.0, size=(rows, 3))
    p_NC = probabilities(logits_NC, task=task)
    if task == "multi_label":
        return logits_NC * temperature, rng.random(p_NC.shape) < p_NC
    places_N = (rng.random((rows, 1)) > p_NC.cumsum(axis=1)).sum(axis=1).clip(max=2)
    return logits_NC * temperature, one_hot(places_N, 3)


@pytest.mark.parametrize("task", ["single_label", "multi_label"])
@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_finds_the_temperature_that_made_the_data(task: Task, temperature: float) -> None:
    logits_NC, truth_NC = draw(0, task, temperature=temperature)
    assert fit_temperature(logits_NC, truth_NC, task=task) == pytest.approx(temperature, rel=0.08)


@given(st.integers(0, 1000), st.sampled_from(["single_label", "multi_label"]), st.integers(5, 60))
@settings(max_examples=25, deadline=None)
def test_no_other_temperature_is_likelier(seed: int, task: Task, rows: int) -> None:
    logits_NC, truth_NC = draw(seed, task, temperature=2.0, rows=rows)
    assume((decide(logits_NC, task=task, thresholds_C=0.0) != truth_NC).any())

    def loss(temperature: float) -> float:
        return float(losses(probabilities(logits_NC / temperature, task=task), truth_NC, task=task).mean())

    best = minimize_scalar(loss, bounds=TEMPERATURE_RANGE, method="bounded")
    assert loss(fit_temperature(logits_NC, truth_NC, task=task)) <= best.fun + 1e-6


@pytest.mark.parametrize("task", ["single_label", "multi_label"])
def test_no_mistake_no_change(task: Task) -> None:
    logits_NC = np.array([[3.0, -1.0], [-2.0, 1.0]])
    assert fit_temperature(logits_NC, logits_NC > 0, task=task) == 1.0
    assert fit_temperature(np.zeros((0, 2)), np.zeros((0, 2), dtype=bool), task=task) == 1.0


@pytest.mark.parametrize("task", ["single_label", "multi_label"])
def test_stays_in_its_range_when_the_logits_know_nothing(task: Task) -> None:
    logits_NC = np.array([[5.0, -5.0], [5.0, -5.0]])
    wrong_NC = logits_NC < 0
    assert fit_temperature(logits_NC, wrong_NC, task=task) == pytest.approx(TEMPERATURE_RANGE[1], rel=1e-6)


@pytest.mark.parametrize("task", ["single_label", "multi_label"])
def test_slope_is_that_of_the_loss(task: Task) -> None:
    logits_NC, truth_NC = draw(1, task, rows=50)

    def loss(b: float) -> float:
        per_text_N = losses(probabilities(b * logits_NC, task=task), truth_NC, task=task)
        return float(per_text_N.mean()) * (3 if task == "multi_label" else 1)

    numeric = (loss(0.7 + 1e-5) - loss(0.7 - 1e-5)) / 2e-5
    assert loss_slope(0.7, logits_NC, truth_NC, task=task) == pytest.approx(numeric, abs=1e-5)


@pytest.mark.parametrize("task", ["single_label", "multi_label"])
def test_one_number_for_all_is_the_temperature(task: Task) -> None:
    logits_NC, truth_NC = draw(2, task, temperature=1.7, rows=500)
    (found,) = fit_temperatures(logits_NC, truth_NC, np.ones((500, 1)), task=task)
    assert found == pytest.approx(fit_temperature(logits_NC, truth_NC, task=task), rel=1e-3)


def drawn_by_share(task: Task, chinese_N: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Texts whose honest temperature is 2, and 0.8 where they are Chinese."""
    logits_NC, truth_NC = draw(3, task, rows=len(chinese_N))
    return logits_NC / ((1 - chinese_N) / 2 + chinese_N / 0.8)[:, None], truth_NC


@pytest.mark.parametrize("task", ["single_label", "multi_label"])
def test_finds_the_temperature_of_each_language(task: Task) -> None:
    chinese_N = np.random.default_rng(0).choice([0.0, 0.1, 0.7, 1.0], size=6000)
    logits_NC, truth_NC = drawn_by_share(task, chinese_N)
    assert fit_by_language(logits_NC, truth_NC, chinese_N, task=task) == pytest.approx((2.0, 0.8), rel=0.08)


@pytest.mark.parametrize(
    ("num_chinese", "num_other", "both"),
    [
        (ENOUGH_OF_A_LANGUAGE, ENOUGH_OF_A_LANGUAGE, True),
        (ENOUGH_OF_A_LANGUAGE - 1, 2000, False),
        (2000, ENOUGH_OF_A_LANGUAGE - 1, False),
    ],
)
def test_a_language_with_few_texts_has_the_temperature_of_all(num_chinese: int, num_other: int, both: bool) -> None:
    chinese_N = np.repeat([1.0, 0.0], [num_chinese, num_other])
    logits_NC, truth_NC = drawn_by_share("single_label", chinese_N)
    other, chinese = fit_by_language(logits_NC, truth_NC, chinese_N, task="single_label")
    assert (chinese is not None) == both
    if not both:
        assert other == fit_temperature(logits_NC, truth_NC, task="single_label")


def test_a_language_without_a_mistake_has_the_temperature_of_all() -> None:
    chinese_N = np.repeat([1.0, 0.0], 1000)
    logits_NC, truth_NC = drawn_by_share("single_label", chinese_N)
    truth_NC[:1000] = one_hot(logits_NC[:1000].argmax(axis=1), 3)
    assert fit_by_language(logits_NC, truth_NC, chinese_N, task="single_label")[1] is None


@pytest.mark.parametrize("task", ["single_label", "multi_label"])
def test_a_text_of_weight_2_is_two_texts(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.metrics.calibration.ENOUGH_OF_A_LANGUAGE", 50)
    logits_NC, truth_NC = draw(4, task, temperature=1.5, rows=200)
    truth_NC[:70] = np.roll(truth_NC[:70], 1, axis=1)  # the heavier texts are mostly wrong
    chinese_N, times_N = np.tile([1.0, 0.0], 100), np.repeat([3, 1], [70, 130])
    twice = np.repeat(np.arange(200), times_N)
    for scale in (1.0, 0.1):
        weights_N = times_N * scale
        found = fit_temperature(logits_NC, truth_NC, task=task, weights_N=weights_N)
        assert found == pytest.approx(fit_temperature(logits_NC[twice], truth_NC[twice], task=task))
        assert found > 1.1 * fit_temperature(logits_NC, truth_NC, task=task)
        both = fit_by_language(logits_NC, truth_NC, chinese_N, task=task, weights_N=weights_N)
        repeated = fit_by_language(logits_NC[twice], truth_NC[twice], chinese_N[twice], task=task)
        assert both == pytest.approx(repeated, rel=1e-4)
        p_NC = probabilities(logits_NC, task=task)
        thresholds = fit_thresholds(p_NC, truth_NC, weights_N=weights_N)
        assert thresholds == pytest.approx(fit_thresholds(p_NC[twice], truth_NC[twice]))
        assert thresholds != fit_thresholds(p_NC, truth_NC)


@given(st.integers(0, 1000), st.integers(1, 40))
@settings(max_examples=30, deadline=None)
def test_no_other_allowed_threshold_has_a_higher_f1(seed: int, rows: int) -> None:
    rng = np.random.default_rng(seed)
    p_NC = rng.integers(0, 11, size=(rows, 2)) / 10  # many equals
    truth_NC = rng.random((rows, 2)) < p_NC

    def f1(thresholds_C: np.ndarray) -> np.ndarray:
        chosen_NC = decide(p_NC, task="multi_label", thresholds_C=thresholds_C)
        return precision_recall_f1(truth_NC, chosen_NC)[2]

    def allowed(threshold: float) -> np.ndarray:
        return np.asarray((p_NC >= threshold).sum(axis=0) <= MOST_GIVEN * truth_NC.sum(axis=0))

    tried = np.arange(0, 1.06, 0.05)
    best_C = np.max([np.where(allowed(threshold), f1(np.full(2, threshold)), 0.0) for threshold in tried], axis=0)
    found_C = f1(np.array(fit_thresholds(p_NC, truth_NC)))
    assert (found_C >= best_C - 1e-9).all()


def test_a_rare_label_is_not_given_to_all_texts() -> None:
    p_N = np.linspace(0.3, 0.0, 40)
    truth_N = np.isin(np.arange(40), [1, 39])
    (threshold,) = fit_thresholds(p_N[:, None], truth_N[:, None])
    assert (p_N >= threshold).sum() == 2
    assert fit_thresholds(np.full((40, 1), 0.1), truth_N[:, None]) == (0.5,)  # nothing tells the texts apart


def test_thresholds_stay_near_a_half_where_nothing_tells_otherwise() -> None:
    p_NC = np.array([[0.9, 0.9], [0.2, 0.1]])
    assert fit_thresholds(p_NC, np.array([[True, False], [False, False]])) == pytest.approx((0.55, 0.5))
    # From 0.2 to 0.9 and from 0 to 0.2 give F1 2/3 each: the former is nearer.
    assert fit_thresholds(p_NC[:, :1], np.array([[False], [True]])) == pytest.approx((0.1,))


def test_calibration_error_by_hand() -> None:
    # Two bins: (0.4, 0.6] is 0.55 sure and half right, (0.8, 1] is 0.9 sure and always right.
    confidence_M = np.array([0.55, 0.55, 0.9, 0.9])
    right_M = np.array([True, False, True, True])
    assert calibration_error(confidence_M, right_M, num_bins=5) == pytest.approx(0.5 * 0.05 + 0.5 * 0.1)


def test_calibration_error_bins_are_closed_above() -> None:
    # 0.5 belongs to (0, 0.5]; with 0.6 in its bin the gaps would cancel to 0.05.
    assert calibration_error(np.array([0.5, 0.6]), np.array([True, False]), num_bins=2) == pytest.approx(0.55)


def test_calibration_error_of_equal_mass_by_hand() -> None:
    # Two bins of two: (0.6, 0.7) half right and (0.9, 1.0) half right; equal width would make one of (0.5, 1].
    confidence_M = np.array([0.9, 0.6, 1.0, 0.7])
    right_M = np.array([True, False, False, True])
    assert calibration_error_equal_mass(confidence_M, right_M, num_bins=2) == pytest.approx(0.5 * 0.15 + 0.5 * 0.45)


def test_calibration_error_of_equal_mass_asks_for_no_order_of_equals() -> None:
    confidence_M, right_M = np.full(30, 0.8), np.arange(30) < 21
    assert calibration_error_equal_mass(confidence_M, right_M) == pytest.approx(0.1)
    assert calibration_error_equal_mass(confidence_M, right_M[::-1]) == pytest.approx(0.1)


@pytest.mark.parametrize("answers", [30, 3000])
def test_error_by_chance_is_that_of_answers_drawn_by_their_confidence(answers: int) -> None:
    rng = np.random.default_rng(0)
    confidence_M = rng.uniform(0.5, 1, size=answers)
    drawn = [calibration_error(confidence_M, rng.random(answers) < confidence_M) for _ in range(200)]
    assert calibration_error_by_chance(confidence_M) == pytest.approx(np.mean(drawn), rel=0.06)

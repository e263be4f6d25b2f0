"""The order of trials, played through with scores made up."""

from collections import Counter

import pytest

from training.experiments.halving import PlannedTrial, Trial, best_of, plan_next


def trial(job: PlannedTrial, score: float) -> Trial:
    return Trial(number=job.number, rung=job.rung, epochs=1, settings={}, score=score, seconds=1.0)


def play(num_trials: int, num_rungs: int, quality: dict[int, float]) -> list[Trial]:
    trials: list[Trial] = []
    for _ in range(num_trials):
        job = plan_next(trials, num_rungs)
        trials.append(trial(job, quality.get(job.number, 0.5)))
    return trials


def test_the_settings_as_given_come_first_and_in_full() -> None:
    assert plan_next([], 3) == PlannedTrial(0, 2)


def test_the_best_of_three_goes_up_at_once() -> None:
    trials = play(14, 3, {2: 0.9, 5: 0.8, 9: 0.95})
    order = [(t.number, t.rung) for t in trials]
    assert order[:5] == [(0, 2), (1, 0), (2, 0), (3, 0), (2, 1)]
    assert order[5:9] == [(4, 0), (5, 0), (6, 0), (5, 1)]
    assert order[9:13] == [(7, 0), (8, 0), (9, 0), (9, 1)]
    assert order[13] == (9, 2), "the best of three on the middle rung"


def test_no_trial_is_made_twice_and_a_third_goes_up() -> None:
    trials = play(200, 3, {number: (number * 37 % 101) / 101 for number in range(1, 200)})
    assert max(Counter((t.number, t.rung) for t in trials).values()) == 1
    rungs = Counter(t.rung for t in trials)
    assert rungs[1] == pytest.approx(rungs[0] / 3, rel=0.2)
    assert rungs[2] - 1 == pytest.approx(rungs[1] / 3, rel=0.4)


def test_the_settings_as_given_do_not_stand_in_the_way_of_others() -> None:
    trials = play(14, 3, {0: 1.0})
    assert [t.number for t in trials if t.rung == 2] == [0, 1], "of equals the earliest goes up"


def test_on_one_rung_it_is_random_search() -> None:
    assert [(t.number, t.rung) for t in play(4, 1, {})] == [(0, 0), (1, 0), (2, 0), (3, 0)]


def test_the_best_is_of_those_in_full_and_of_equals_the_first() -> None:
    trials = [trial(PlannedTrial(*place), score) for place, score in (((0, 1), 0.7), ((1, 0), 0.9), ((2, 1), 0.7))]
    best = best_of(trials, 2)
    assert best is not None
    assert best.number == 0
    better = best_of([*trials, trial(PlannedTrial(3, 1), 0.71)], 2)
    assert better is not None
    assert better.number == 3
    assert best_of([], 2) is None

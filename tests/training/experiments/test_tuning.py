from tests.training.artifacts.test_results import RESULTS
from training.experiments.halving import Trial
from training.experiments.tuning import Tuning, describe_best, write_markdown

TRIALS = (
    Trial(number=0, rung=1, epochs=9, settings={}, score=0.8, seconds=10),
    Trial(number=1, rung=0, epochs=3, settings={"loop.learning_rate": 0.01}, score=0.7, seconds=4),
    Trial(number=2, rung=0, epochs=3, settings={"loop.learning_rate": 0.02, "seed": 1}, score=0.75, seconds=70),
)
TUNING = Tuning(**dict(RESULTS), metric="accuracy", budget_s=100, num_rungs=2, space={}, trials=TRIALS)


def test_the_table_has_the_longest_trials_first_and_the_best_of_them_on_top() -> None:
    lines = write_markdown(TUNING).splitlines()
    assert lines[1:5] == [
        "| ---: | ---: | ---: | ---: | --- |",
        "| 0 | 9 | 0.8000 | 0:10 | as given |",
        "| 2 | 3 | 0.7500 | 1:10 | loop.learning_rate 0.02, seed 1 |",
        "| 1 | 3 | 0.7000 | 0:04 | loop.learning_rate 0.01 |",
    ]
    assert lines[6] == "- 3 trials, 1 of them in full, in 1:24"


def test_only_a_trial_in_full_can_be_the_best() -> None:
    short = Trial(number=3, rung=0, epochs=3, settings={}, score=0.99, seconds=1)
    assert TUNING.model_copy(update={"trials": (*TRIALS, short)}).best == TRIALS[0]
    better = Trial(number=3, rung=1, epochs=9, settings={"seed": 4}, score=0.9, seconds=1)
    assert describe_best(TUNING.model_copy(update={"trials": (*TRIALS, better)}))[1:] == [
        "best: trial 3, validation accuracy 0.9000 (as given 0.8000)",
        "its settings: seed 4",
    ]

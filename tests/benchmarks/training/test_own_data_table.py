from dataclasses import dataclass

from benchmarks.training.own_data_table import table


@dataclass(frozen=True)
class Fit:
    set: str
    method: str
    rows: int
    seed: int = 0


def test_means_half_ranges_ranks_and_gains() -> None:
    lines = table(
        {
            Fit("subj", "train", 100, 0): 0.8,
            Fit("subj", "train", 100, 1): 0.9,
            Fit("subj", "tfidf", 100): 0.8,
            Fit("cold", "train", 100): 0.6,
            Fit("cold", "tfidf", 100): 0.7,
        }
    )
    assert list(lines) == [
        "| set | rows | train | tfidf |",
        "| --- | ---: | ---: | ---: |",
        "| subj | 100 | 85.0 ± 5.0 | 80.0 |",
        "| cold | 100 | 60.0 | 70.0 |",
        "| **mean** | 100 | 72.5 | 75.0 |",
        "| mean rank | 100 | 1.50 | 1.50 |",
        "| mean gain over the best other | 100 | -2.5 | +2.5 |",
        "| worst | 100 | -10.0 | -5.0 |",
    ]


def test_a_set_that_lacks_a_method_is_shown_and_not_compared() -> None:
    lines = list(table({Fit("subj", "train", 0): 0.8, Fit("cold", "train", 0): 0.6, Fit("cold", "tfidf", 0): 0.7}))
    assert lines[2] == "| subj | all | 80.0 | - |"
    assert lines[4:] == [
        "| **mean** | all | 60.0 | 70.0 |",
        "| mean rank | all | 2.00 | 1.00 |",
        "| mean gain over the best other | all | -10.0 | +10.0 |",
        "| worst | all | -10.0 | +10.0 |",
    ]

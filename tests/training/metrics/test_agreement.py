import pytest
from sklearn.metrics import cohen_kappa_score

from training.metrics.agreement import agreement
from training.metrics.intervals import wilson_interval

PAIRS = [("a", "a")] * 20 + [("a", "b")] * 5 + [("b", "b")] * 10 + [("c", "b")] * 3 + [("c", "c")] * 2


def test_kappa_and_interval_are_those_of_others() -> None:
    found = agreement(PAIRS)
    assert (found.num_agreed, found.total, found.share) == (32, 40, 0.8)
    assert found.interval == wilson_interval(32, 40)
    assert found.kappa == pytest.approx(cohen_kappa_score(*zip(*PAIRS, strict=True)))
    assert found.labels == ("a", "b", "c")
    assert found.confusion == ((20, 5, 0), (0, 10, 0), (0, 3, 2))
    assert [(one.label, one.num_agreed, one.total) for one in found.by_label()] == [
        ("a", 20, 20),
        ("b", 10, 18),
        ("c", 2, 2),
    ]


def test_a_label_that_the_second_judge_never_gave_has_no_share() -> None:
    assert [one.label for one in agreement([("a", "b"), ("b", "b")]).by_label()] == ["b"]


def test_one_label_only_says_nothing_beyond_chance() -> None:
    assert agreement([("a", "a")] * 3).kappa is None
    assert agreement([("a", "b")] * 3).kappa == 0

from collections.abc import Sequence

import pytest

from app.api.selection import MAX_LISTED, Selection, Wanted, select
from app.core.errors import InvalidRequest
from model.config import PrecisionThreshold
from tests.app.conftest import FakeClassifier

LABELS = ("negative", "neutral", "positive")
ROW = [0.5, 0.3, 0.2]
IT_HAS = "It has `negative`, `neutral`, `positive`."


def _scored(selection: Selection, row: Sequence[float]) -> list[tuple[str, float]]:
    return [(label, round(score, 12)) for score, label in selection.scored(row, LABELS)]


def test_all_labels_without_names_and_with_all_of_them() -> None:
    classifier = FakeClassifier(LABELS)
    for named in (None, ["positive", "negative", "neutral"]):
        selection = select(classifier, Wanted(2, named))
        assert selection == Selection(2)
        assert _scored(selection, ROW) == list(zip(LABELS, ROW, strict=True))


def test_softmax_among_two_of_three_in_the_order_of_the_checkpoint() -> None:
    selection = select(FakeClassifier(LABELS), Wanted(labels=["positive", "negative"]))
    assert selection == Selection(None, [0, 2], shares=True)
    assert _scored(selection, ROW) == [("negative", round(5 / 7, 12)), ("positive", round(2 / 7, 12))]


def test_labels_that_are_ruled_out_get_equal_shares() -> None:
    selection = select(FakeClassifier(LABELS), Wanted(labels=["neutral", "positive"]))
    assert _scored(selection, [1.0, 0.0, 0.0]) == [("neutral", 0.5), ("positive", 0.5)]
    # The least float32 there is: a ratio of such numbers is still a ratio.
    assert _scored(selection, [1.0, 2**-149, 3 * 2**-149]) == [("neutral", 0.25), ("positive", 0.75)]


def test_scores_of_a_multi_label_model_stay_as_they_are() -> None:
    classifier = FakeClassifier(LABELS, "multi_label")
    assert _scored(select(classifier, Wanted(labels=["positive", "neutral"])), ROW) == [
        ("neutral", 0.3),
        ("positive", 0.2),
    ]
    assert _scored(select(classifier, Wanted(labels=["positive"])), ROW) == [("positive", 0.2)]


@pytest.mark.parametrize(
    ("task", "named", "detail"),
    [
        ("single_label", ["positive", "my private text"], f"`labels[1]` is not a label of the model. {IT_HAS}"),
        ("multi_label", ["Positive"], f"`labels[0]` is not a label of the model. {IT_HAS}"),
        ("single_label", ["neutral", "positive", "neutral"], f"`labels[2]` names `neutral` again. {IT_HAS}"),
        ("multi_label", ["neutral", "neutral"], f"`labels[1]` names `neutral` again. {IT_HAS}"),
        ("single_label", [], f"`labels` is empty; leave it out for all labels. {IT_HAS}"),
        ("multi_label", [], f"`labels` is empty; leave it out for all labels. {IT_HAS}"),
        (
            "single_label",
            ["neutral"],
            f"`labels` names `neutral` alone, which would get every text; name at least two. {IT_HAS}",
        ),
    ],
)
def test_refuses_by_name_and_lists_the_labels(task: str, named: list[str], detail: str) -> None:
    with pytest.raises(InvalidRequest) as error:
        select(FakeClassifier(LABELS, task), Wanted(labels=named))
    assert str(error.value) == detail


def test_an_error_lists_no_more_labels_than_a_person_reads() -> None:
    classifier = FakeClassifier(tuple(f"label{i}" for i in range(MAX_LISTED + 3)))
    with pytest.raises(InvalidRequest, match=r"`label19` and 3 more; GET /models lists them\.$") as error:
        select(classifier, Wanted(labels=["other"]))
    assert "`label20`" not in str(error.value)


def _measured(*thresholds: float | None) -> FakeClassifier:
    classifier = FakeClassifier(LABELS)
    classifier.precision_thresholds = [
        PrecisionThreshold(precision=precision, threshold=threshold, coverage=0)
        for precision, threshold in zip((0.9, 0.95, 0.99), thresholds, strict=False)
    ]
    return classifier


@pytest.mark.parametrize(("asked", "threshold"), [(0.5, 0.6), (0.9, 0.6), (0.901, 0.7), (0.95, 0.7)])
def test_the_next_higher_precision_that_is_reached_counts(asked: float, threshold: float) -> None:
    classifier = _measured(0.6, 0.7, None)
    assert select(classifier, Wanted(2, min_precision=asked)) == Selection(2, threshold=threshold)
    assert select(classifier, Wanted(2, LABELS[::-1], asked)) == Selection(2, threshold=threshold)
    assert select(_measured(None, 0.7, 0.8), Wanted(min_precision=0.5)).threshold == 0.7


@pytest.mark.parametrize(
    ("classifier", "asked", "detail"),
    [
        (_measured(0.6, 0.7, None), 0.99, "this `min_precision`: it may be at most 0.95; see `precisions`"),
        (_measured(0.6, 0.7, 0.8), 0.995, "this `min_precision`: it may be at most 0.99; see `precisions`"),
        (_measured(None, None), 0.5, "this `min_precision`: no value of it is reached; see `precisions`"),
        (_measured(), 0.5, "not measured for `min_precision`; `python -m training precision CHECKPOINT FILE` does it"),
    ],
)
def test_a_precision_that_cannot_be_had_is_refused(classifier: FakeClassifier, asked: float, detail: str) -> None:
    with pytest.raises(InvalidRequest) as error:
        select(classifier, Wanted(min_precision=asked))
    assert detail in str(error.value)


def test_precision_among_some_labels_is_refused_and_wrong_labels_come_first() -> None:
    classifier = _measured(0.6)
    with pytest.raises(InvalidRequest, match="`min_precision` cannot stand beside `labels`"):
        select(classifier, Wanted(None, ["negative", "positive"], 0.9))
    with pytest.raises(InvalidRequest, match="is not a label of the model"):
        select(classifier, Wanted(None, ["negative", "other"], 0.9))

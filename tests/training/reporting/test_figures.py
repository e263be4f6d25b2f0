import numpy as np
import pytest

from tests.training.reporting.made import answers
from training.evaluation.evaluate import Evaluation
from training.metrics.decisions import one_hot
from training.metrics.intervals import wilson_interval
from training.metrics.scores import score
from training.reporting.figures import TEXT_LENGTH, confusions, label_figures, shown, without_large_confusion

TRUTH = one_hot(np.array([0, 0, 0, 1, 1, 2]), 4)
CHOSEN = one_hot(np.array([0, 1, 1, 1, 0, 0]), 4)
LABELS = ("a", "b", "c", "d")


def test_labels_have_figures_and_intervals_by_hand() -> None:
    a, b, c, d = label_figures(TRUTH, CHOSEN, LABELS)
    assert (a.support, a.given) == (3, 3)
    assert [a.precision, a.recall] == pytest.approx([1 / 3, 1 / 3])
    assert a.precision_interval == wilson_interval(1, 3)
    assert [b.f1, c.f1] == pytest.approx([0.4, 0.0])
    assert (d.support, d.f1, d.f1_interval) == (0, 0.0, (0.0, 1.0)), "nothing is known of a label that no text has"


def test_confusions_are_counted_the_commonest_first() -> None:
    found = confusions(TRUTH, CHOSEN, LABELS)
    assert [(one.truth, one.answer, one.texts) for one in found] == [("a", "b", 2), ("b", "a", 1), ("c", "a", 1)]
    assert [one.share for one in found] == pytest.approx([2 / 3, 0.5, 1.0])
    assert confusions(TRUTH, TRUTH, LABELS) == ()


def test_a_matrix_of_many_labels_is_left_out() -> None:
    for count, kept in ((20, True), (21, False)):
        p, truth = answers(count)
        scores = score(p, truth, [str(i) for i in range(count)], task="single_label")
        found = without_large_confusion(Evaluation(scores=scores, truncated=0, tokens=0))
        assert (found.scores.confusion is not None) == kept


def test_a_text_is_shown_on_one_short_line_without_addresses() -> None:
    assert shown("write to\n ada@example.org <b>") == "write to emailaddress <b>"
    assert len(shown("a" * 10_000)) == TEXT_LENGTH

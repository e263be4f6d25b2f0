import json

import pytest

from benchmarks.faults.reload import Result, scores_of
from benchmarks.lib.memory import MEGABYTE


def _result(memory: tuple[int, ...] = (100, 100, 100)) -> Result:
    result = Result(memory=[megabytes * MEGABYTE for megabytes in memory])
    result.versions.update(["a", "b"])
    return result


def test_a_run_is_good_if_nothing_failed_and_memory_is_flat() -> None:
    assert _result().good
    assert not _result((100, 100, 120)).good


@pytest.mark.parametrize("change", ["failures", "wrong", "versions"])
def test_whatever_is_not_as_it_should_be_fails_it(change: str) -> None:
    result = _result()
    if change == "failures":
        result.failures[503] += 1
    elif change == "wrong":
        result.wrong = 1
    else:
        del result.versions["b"]  # the reloads never showed
    assert not result.good


def test_scores_are_read_by_label_and_text() -> None:
    scores = [{"label": "x", "score": 0.75}, {"label": "y", "score": 0.25}]
    body = json.dumps({"version": "a", "predictions": [{"scores": scores}] * 2}).encode()
    assert scores_of(body) == ("a", [{"x": 0.75, "y": 0.25}] * 2)

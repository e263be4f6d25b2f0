import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.faults import soak
from benchmarks.lib.load_generator import LOST
from benchmarks.lib.memory import MEGABYTE, resident


def _process(proc: Path, pid: int, parent: int, kilobytes: int) -> None:
    (proc / str(pid)).mkdir()
    (proc / str(pid) / "stat").write_text(f"{pid} (a ) name) S {parent} 1 1")
    (proc / str(pid) / "status").write_text(f"Name:\tx\nVmRSS:\t{kilobytes} kB\nRssAnon:\t1 kB\n")


def test_memory_is_that_of_a_process_and_all_below_it(tmp_path: Path) -> None:
    for pid, parent, kilobytes in ((1, 0, 1000), (10, 1, 1), (11, 10, 2), (12, 11, 4), (20, 1, 1000)):
        _process(tmp_path, pid, parent, kilobytes)
    (tmp_path / "self").mkdir()
    (tmp_path / "13").mkdir()  # one that has just left
    assert resident(10, tmp_path) == 7 * 1024


@pytest.mark.parametrize(("after", "seconds", "fails"), [(114, 60, False), (116, 60, True), (103, 900, True)])
def test_memory_may_grow_by_a_bound(after: int, seconds: float, fails: bool) -> None:
    assert (after * MEGABYTE > soak.allowed(100 * MEGABYTE, seconds)) is fails


def test_a_peak_in_the_middle_is_no_growth() -> None:
    assert soak.thirds([1, 1, 1, 100, 100, 100, 2, 2, 2]) == (1, 2)


def _prediction(score: float, tokens: int = 3) -> dict[str, Any]:
    scores = [{"label": "a", "score": score}, {"label": "b", "score": 1 - score}]
    return {"label": "a", "score": score, "scores": scores, "tokens": tokens, "truncated": False}


def test_an_answer_must_be_that_of_the_text_alone() -> None:
    judge = soak.Judge({b"request": [_prediction(0.75)]})
    right, close, wrong, another, short = (
        b'{"predictions": [%s]}' % json.dumps(prediction).encode()
        for prediction in (_prediction(0.75), _prediction(0.750004), _prediction(0.76), _prediction(0.75, 4), "")
    )
    for body in (right, right, close):
        judge.see(b"request", 200, body)
    assert (judge.wrong, judge.failed) == (0, 0)
    for body in (wrong, another, short.replace(b'""', b"")):
        judge.see(b"request", 200, body)
    assert (judge.wrong, judge.failed) == (3, 0)


def test_refusals_are_neither_wrong_nor_lost() -> None:
    judge = soak.Judge({})
    for status in (503, 504, LOST, 500):
        judge.see(b"request", status, b"")
    assert (judge.wrong, judge.failed) == (0, 2)

import os
import time
from pathlib import Path

import pytest

from benchmarks.lib.processor import pin, spent_s, workers


def test_the_account_of_this_process_grows_as_it_computes() -> None:
    before, began = spent_s([os.getpid()]), time.thread_time()
    while time.thread_time() - began < 0.05:
        pass
    assert spent_s([os.getpid()]) - before >= 0.04


def test_workers_are_the_processes_below_that_were_spawned(tmp_path: Path) -> None:
    for pid, parent, line in (
        (7, 1, "server"),
        (8, 7, "resource_tracker"),
        (9, 7, "spawn_main"),
        (10, 1, "spawn_main"),
    ):
        folder = tmp_path / str(pid)
        folder.mkdir()
        (folder / "stat").write_text(f"{pid} (python) S {parent} 0")
        (folder / "cmdline").write_text(line)
    assert workers(7, tmp_path) == [9]
    assert workers(10, tmp_path) == [10]  # it has none: it answers itself


def test_processes_get_a_core_each(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for pid in (3, 4):
        (tmp_path / str(pid) / "task" / str(10 * pid)).mkdir(parents=True)
    given = dict[int, set[int]]()
    monkeypatch.setattr(os, "sched_setaffinity", given.__setitem__)
    pin([3, 4], [0, 1], tmp_path)
    assert given == {30: {0}, 40: {1}}

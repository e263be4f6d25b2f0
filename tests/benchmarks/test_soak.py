from pathlib import Path

import pytest

from benchmarks import soak


def _process(proc: Path, pid: int, parent: int, kilobytes: int) -> None:
    (proc / str(pid)).mkdir()
    (proc / str(pid) / "stat").write_text(f"{pid} (a ) name) S {parent} 1 1")
    (proc / str(pid) / "status").write_text(f"Name:\tx\nVmRSS:\t{kilobytes} kB\nRssAnon:\t1 kB\n")


def test_memory_is_that_of_a_process_and_all_below_it(tmp_path: Path) -> None:
    for pid, parent, kilobytes in ((1, 0, 1000), (10, 1, 1), (11, 10, 2), (12, 11, 4), (20, 1, 1000)):
        _process(tmp_path, pid, parent, kilobytes)
    (tmp_path / "self").mkdir()
    (tmp_path / "13").mkdir()  # one that has just left
    assert soak.resident(10, tmp_path) == 7 * 1024


@pytest.mark.parametrize(("after", "fails"), [(114, False), (116, True)])
def test_memory_may_grow_by_a_bound(after: int, fails: bool) -> None:
    assert (after * soak.MEGABYTE > soak.allowed(100 * soak.MEGABYTE)) is fails


def test_a_peak_in_the_middle_is_no_growth() -> None:
    assert soak.thirds([1, 1, 1, 100, 100, 100, 2, 2, 2]) == (1, 2)

import pytest

from benchmarks.lib.open_loop import NAP_S
from benchmarks.simulation import machine


def test_a_gap_is_the_time_between_two_looks_at_the_clock() -> None:
    looks = iter([0.0, 0.1, 0.2, 0.9, 1.0, 1.1])
    assert machine.gaps(1.0, 0.5, lambda: next(looks)) == pytest.approx([0.7])


def test_a_nap_is_never_shorter_than_asked() -> None:
    found = machine.naps(0.01)
    assert found
    assert min(found) >= NAP_S


def test_a_busy_process_ends_with_its_block() -> None:
    with machine.busy_process():
        assert machine.gaps(0.01, 10.0) == []


def test_a_value_is_drawn_about_as_often_as_it_was_seen() -> None:
    found = machine.steps([1.0] * 500 + [3.0] * 500)
    assert (found.count(1.0), found.count(3.0), len(found)) == (125, 125, machine.STEPS)
    assert max(machine.steps([1.0] * 9_999 + [3.0])) == 1.0
    assert machine.steps([]) == []

import pytest

from benchmarks.lib.probe import Probe, recovery_s


@pytest.mark.parametrize(
    ("slow", "refused", "expected"),
    [
        (set(), set(), 0.0),
        ({12}, set(), 0.0),  # one by itself is no overload
        ({9, 10, 11, 12}, set(), 0.2),  # those before the end do not count
        ({20, 21, 22, 23, 24}, set(), 1.4),
        (set(), {10, 11, 12, 13}, 0.3),
    ],
)
def test_recovery_ends_with_the_last_slow_half_second(slow: set[int], refused: set[int], expected: float) -> None:
    probe = Probe(0, b"")
    for i in range(40):
        probe.answers.append((i / 10, 503 if i in refused else 200, 0.5 if i in slow else 0.01))
    assert recovery_s(probe, 1.0, 0.1) == pytest.approx(expected)


def test_latencies_are_those_of_the_time() -> None:
    probe = Probe(0, b"", [(1.0, 200, 0.1), (2.0, 200, 0.2), (3.0, 503, 0.3)])
    assert probe.latencies(2.0, 3.0) == [0.2]

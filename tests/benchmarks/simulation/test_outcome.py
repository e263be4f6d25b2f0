import math

from benchmarks.simulation.outcome import Outcome
from benchmarks.simulation.worker import Status


def test_requests_of_the_warm_up_do_not_count() -> None:
    outcome = Outcome(from_s=1.0)
    outcome.add(0.5, Status.ANSWERED, 9.0)
    outcome.add(1.5, Status.ANSWERED, 0.1)
    outcome.add(1.6, Status.REFUSED, 0.0)
    assert outcome.latencies == [0.1]
    assert outcome.share(Status.REFUSED) == 0.5


def test_recovery_ends_with_the_last_bad_second() -> None:
    outcome = Outcome()
    for second in range(30):
        outcome.add(second + 0.5, Status.LOST if 10 <= second < 14 else Status.ANSWERED, 0.1)
    assert outcome.recovery_s(10.0) == 4.0
    assert outcome.recovery_s(20.0) == 0.0


def test_nothing_answered_has_no_percentile() -> None:
    assert math.isnan(Outcome().percentile_s(99))

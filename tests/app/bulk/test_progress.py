from app.bulk.progress import EVERY_S, Progress
from app.bulk.scoring import Counts


def test_rate_and_time_left_do_not_count_what_was_done_before() -> None:
    said: list[str] = []
    now = [100.0]
    progress = Progress(10_000, Counts(rows=4000), said.append, clock=lambda: now[0])
    now[0] += EVERY_S - 1
    progress.update(Counts(rows=5000))
    assert said == []
    now[0] += 1
    progress.update(Counts(rows=5900, bad=100))
    assert said == ["6,000 rows, 200 a second; 60%, 20.0 s left"]


def test_without_a_total_there_is_no_time_left() -> None:
    said: list[str] = []
    now = [0.0]
    progress = Progress(None, Counts(), said.append, clock=lambda: now[0])
    now[0] += EVERY_S
    progress.update(Counts(rows=50))
    assert said == ["50 rows, 5 a second"]


def test_cost_is_that_of_this_run() -> None:
    now = [0.0]
    progress = Progress(None, Counts(rows=100, tokens=1000), print, clock=lambda: now[0], cpu_clock=lambda: now[0] / 2)
    now[0] += 10
    assert progress.cost(Counts(rows=300, tokens=5000)) == (
        "200 texts in 10.0 s: 20 texts/s, 400 tokens/s; 5.0 s of processor time, 144,000 texts per core-hour"
    )


def test_a_run_with_nothing_left_to_do_has_a_cost() -> None:
    assert Progress(0, Counts(), print, clock=lambda: 0.0, cpu_clock=lambda: 0.0).cost(Counts()).startswith("0 texts")

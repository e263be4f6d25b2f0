import os

from benchmarks.http.parts import cpu_s, part_of, shares


def test_a_sample_counts_for_the_innermost_part() -> None:
    server = "run (app/process/server.py:9)"
    assert part_of([server, "submit (app/batching/batcher.py:1)", "<lambda> (<string>:1)"]) == (
        "admission, batcher, jobs, timers"
    )
    assert part_of([server, "parse (app/http/json.py:1)"]) == "body read, JSON parsed, client watched"
    assert part_of([server, "send (app/process/exchange.py:1)"]) == "connection: parser, ASGI, head and body written"
    assert part_of([server, "Runner.run (asyncio/runners.py:118)"]) == "event loop, kernel"
    assert part_of(["Thread.run (threading.py:982)", "_worker (concurrent/futures/thread.py:81)"]) is None


def test_shares_leave_out_threads_that_wait() -> None:
    found = shares(
        [
            "thread (1): main;logits (model/engine/cpu.py:1) 3",
            "thread (1): main;inc (app/telemetry/counters.py:2) 1",
            "thread (2): device;take (app/batching/queue.py:3);Condition.wait (threading.py:327) 40",
        ]
    )
    assert found == {"network": 0.75, "metrics": 0.25}


def test_processor_time_grows() -> None:
    before = cpu_s(os.getpid())
    assert sum(range(3_000_000)) > 0
    assert cpu_s(os.getpid()) > before

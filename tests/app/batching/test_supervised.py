import threading

import pytest

from app.batching.supervised import SupervisedThread
from tests.app.conftest import until

pytestmark = pytest.mark.anyio


async def test_a_thread_that_dies_is_replaced_until_it_has_died_too_often_in_a_row() -> None:
    errors: list[str] = []
    restarts: list[None] = []

    def run() -> None:
        raise SystemExit("a fault that no code foresees")

    thread = SupervisedThread(
        run, fail=lambda error: errors.append(str(error)), restarted=lambda: restarts.append(None)
    )
    thread.max_restarts, thread.restart_delay_s = 2, 0.001
    thread.start()
    await until(lambda: thread.state == "broken")
    assert (thread.restarts, len(restarts), thread.given_up) == (2, 2, True)
    assert errors == ["The worker that computes died and is being replaced."] * 3 + ["The model is broken."]


async def test_a_success_in_between_counts_anew() -> None:
    begun = threading.Semaphore(0)
    deaths = 0

    def run() -> None:
        begun.acquire()
        raise RuntimeError

    def fail(_: Exception) -> None:
        nonlocal deaths
        deaths += 1

    thread = SupervisedThread(run, fail=fail, restarted=lambda: None)
    thread.max_restarts, thread.restart_delay_s = 1, 0.001
    thread.start()
    for count in range(1, 4):
        begun.release()
        await until(lambda count=count: deaths == count and thread.state == "running")  # type: ignore[misc]
        thread.note_success()
    assert (deaths, thread.state) == (3, "running")  # although one death more than allowed in a row would end it


async def test_close_waits_for_the_thread_and_lets_none_follow() -> None:
    ended = threading.Event()

    def run() -> None:
        ended.wait(5)
        raise RuntimeError

    thread = SupervisedThread(run, fail=lambda _: ended.set(), restarted=lambda: None)
    thread.start()
    assert not thread.given_up
    await thread.close()
    assert thread.state == "stopped"
    assert thread.given_up

import asyncio
from collections.abc import Callable

import pytest

from app.core.timers import Timers

pytestmark = pytest.mark.anyio


def start(timers: Timers, key: str, delay_s: float, callback: Callable[[], None]) -> None:
    timers.start(key, delay_s, callback, asyncio.get_running_loop())


async def test_timers_fire_by_delay_and_those_cancelled_do_not() -> None:
    timers, fired = Timers(), list[str]()
    for name, delay_s in (("late", 0.06), ("early", 0.01), ("cancelled", 0.01), ("second", 0.01)):
        start(timers, name, delay_s, lambda name=name: fired.append(name))  # type: ignore[misc]
    timers.cancel("cancelled", 0.01)
    timers.cancel("never there", 5.0)
    await asyncio.sleep(0.04)
    assert fired == ["early", "second"]
    await asyncio.sleep(0.06)
    assert fired == ["early", "second", "late"]


async def test_starting_again_begins_the_delay_anew() -> None:
    timers, fired = Timers(), list[str]()
    start(timers, "a", 0.06, lambda: fired.append("first"))
    await asyncio.sleep(0.03)
    start(timers, "a", 0.06, lambda: fired.append("again"))
    await asyncio.sleep(0.045)
    assert fired == []
    await asyncio.sleep(0.06)
    assert fired == ["again"]


async def test_a_callback_may_start_a_timer_and_nothing_is_left_in_the_end() -> None:
    timers, fired = Timers(), list[int]()

    def again() -> None:
        fired.append(len(fired))
        if len(fired) < 3:
            start(timers, "a", 0.01, again)

    start(timers, "a", 0.01, again)
    await asyncio.sleep(0.1)
    assert fired == [0, 1, 2]
    assert not timers._queues


def test_another_event_loop_has_timers_of_its_own() -> None:
    timers, fired = Timers(), list[str]()

    async def begin(name: str, wait_s: float) -> None:
        start(timers, name, 0.01, lambda: fired.append(name))
        await asyncio.sleep(wait_s)

    asyncio.run(begin("of a loop that is closed", 0.0))
    asyncio.run(begin("of this one", 0.05))
    assert fired == ["of this one"]

import asyncio

import pytest

from app.core.timers import Timers

pytestmark = pytest.mark.anyio


async def test_timers_fire_by_delay_and_those_cancelled_do_not() -> None:
    timers, fired = Timers(), list[str]()
    for name, delay_s in (("late", 0.06), ("early", 0.01), ("cancelled", 0.01), ("second", 0.01)):
        timers.start(name, delay_s, lambda name=name: fired.append(name))  # type: ignore[misc]
    timers.cancel("cancelled", 0.01)
    timers.cancel("never there", 5.0)
    await asyncio.sleep(0.04)
    assert fired == ["early", "second"]
    await asyncio.sleep(0.06)
    assert fired == ["early", "second", "late"]


async def test_starting_again_begins_the_delay_anew() -> None:
    timers, fired = Timers(), list[str]()
    timers.start("a", 0.06, lambda: fired.append("first"))
    await asyncio.sleep(0.03)
    timers.start("a", 0.06, lambda: fired.append("again"))
    await asyncio.sleep(0.045)
    assert fired == []
    await asyncio.sleep(0.06)
    assert fired == ["again"]


async def test_a_callback_may_start_a_timer_and_nothing_is_left_in_the_end() -> None:
    timers, fired = Timers(), list[int]()

    def again() -> None:
        fired.append(len(fired))
        if len(fired) < 3:
            timers.start("a", 0.01, again)

    timers.start("a", 0.01, again)
    await asyncio.sleep(0.1)
    assert fired == [0, 1, 2]
    assert not timers._queues


def test_another_event_loop_has_timers_of_its_own() -> None:
    timers, fired = Timers(), list[str]()

    async def start(name: str, wait_s: float) -> None:
        timers.start(name, 0.01, lambda: fired.append(name))
        await asyncio.sleep(wait_s)

    asyncio.run(start("of a loop that is closed", 0.0))
    asyncio.run(start("of this one", 0.05))
    assert fired == ["of this one"]

import random

import pytest
import simpy

from benchmarks.simulation.core import Core, Machine


def _ends(machine: Machine, *jobs: tuple[float, float, bool], shared: bool = True, seed: int = 0) -> list[float]:
    """Ends of processes that begin at a time and compute for some seconds, woken from a nap or not."""
    env = simpy.Environment()
    core = Core(env, machine, random.Random(seed))
    if shared:
        core.share()
    ends = [0.0] * len(jobs)

    def job(place: int, begin: float, seconds: float, napped: bool) -> simpy.events.ProcessGenerator:
        yield env.timeout(begin)
        assert (yield from core.run(seconds, napped=napped)) == pytest.approx(0)
        ends[place] = env.now

    for place, (begin, seconds, napped) in enumerate(jobs):
        env.process(job(place, begin, seconds, napped))
    env.run()
    return ends


def test_two_processes_take_turns_by_slices() -> None:
    assert _ends(Machine(slices=[1.0]), (0, 3, False), (0, 3, False)) == pytest.approx([5, 6])


def test_who_wakes_from_a_nap_interrupts_after_a_wait() -> None:
    machine = Machine(slices=[10.0], waits=[0.5])
    assert _ends(machine, (0, 3, False), (1, 1, True)) == pytest.approx([4, 2.5])
    assert _ends(machine, (0, 3, False), (1, 1, False)) == pytest.approx([3, 4])


def test_without_measured_waits_nobody_is_interrupted() -> None:
    assert _ends(Machine(), (0, 3, False), (1, 1, True)) == pytest.approx([3, 4])


def test_pauses_delay_in_proportion_to_the_time_that_is_computed() -> None:
    machine = Machine(pauses_per_s=0.5, pauses=[0.1])
    (end,) = _ends(machine, (0, 2000, False), shared=False)
    assert end == pytest.approx(2000 * 1.05, rel=0.01)


def test_work_ends_at_an_event_and_tells_what_is_left() -> None:
    env = simpy.Environment()
    core, stop = Core(env, Machine(), random.Random(0)), env.event()
    left = list[float]()

    def job() -> simpy.events.ProcessGenerator:
        left.append((yield from core.run(3, stop)))

    def interrupt() -> simpy.events.ProcessGenerator:
        yield env.timeout(1)
        stop.succeed()

    env.process(job())
    env.process(interrupt())
    env.run(1.5)
    assert left == pytest.approx([2])
    assert core.idle_s == pytest.approx(0.5)

"""The batcher without HTTP."""

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

import pytest

from app.batching.batcher import INLINE_ASCII_CHARS, INLINE_TURN_CHARS, Batcher
from app.batching.policy import INLINE_TOKENS
from app.config.sections import BatchLimits
from app.core.errors import ComputeError, DeadlineExceeded, NotReady, Overloaded
from app.core.job import STAGES, Answer, Job
from app.telemetry.metrics import Metrics
from model.text import Encoded
from tests.app.conftest import FATAL, POISON, FakeClassifier, until, word_id

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def batching(classifier: FakeClassifier, limits: BatchLimits | None = None) -> AsyncIterator[Batcher]:
    with ThreadPoolExecutor(2) as tokenisers:
        batcher = Batcher(
            classifier,
            limits or BatchLimits(),
            Metrics().for_model("m"),
            tokenisers=tokenisers,
            device=threading.Lock(),
        )
        batcher.start()
        try:
            yield batcher
        finally:
            classifier.gate.set()
            await batcher.close()


async def hold(batcher: Batcher, classifier: FakeClassifier) -> Job:
    """Keeps the device busy until the gate opens."""
    classifier.gate.clear()
    classifier.entered.clear()
    job = batcher.submit(["holding"], 10)
    await until(classifier.entered.is_set)
    return job


def positives(job: Job) -> list[float]:
    answers = [outcome for outcome in job.outcomes if isinstance(outcome, Answer)]
    assert len(answers) == job.num_texts
    return [round(float(answer.probabilities[1]), 6) for answer in answers]


def failures(job: Job) -> list[bool]:
    return [isinstance(outcome, ComputeError) for outcome in job.outcomes]


async def test_each_text_gets_its_own_row(classifier: FakeClassifier) -> None:
    texts = [[f"r{request} t{i} " * (i % 7) for i in range(request)] for request in range(1, 30)]
    async with batching(classifier, BatchLimits(max_batch_texts=5)) as batcher:
        jobs = [batcher.submit(request, 10) for request in texts]
        await asyncio.gather(*(job.done for job in jobs))
    for request, job in zip(texts, jobs, strict=True):
        assert positives(job) == [classifier.positive(text) for text in request]
    assert batcher.admission.texts == batcher.admission.tokens == 0


async def test_what_waits_while_the_device_is_busy_is_one_batch(classifier: FakeClassifier) -> None:
    async with batching(classifier) as batcher:
        held = await hold(batcher, classifier)
        jobs = [batcher.submit([f"text {i}"], 10) for i in range(20)]
        await until(lambda: all(job.encoded[0] is not None for job in jobs))
        classifier.gate.set()
        await asyncio.gather(held.done, *(job.done for job in jobs))
    assert classifier.batches == [[1], [2] * 20]


async def test_cancelled_and_late_work_never_reaches_the_device(classifier: FakeClassifier) -> None:
    async with batching(classifier) as batcher:
        held = await hold(batcher, classifier)
        cancelled, late, stays = (batcher.submit([name], 10) for name in ("cancelled", "late", "stays"))
        waiting = asyncio.ensure_future(_wait(cancelled))
        await asyncio.sleep(0)
        await until(lambda: None not in (cancelled.encoded + late.encoded + stays.encoded))
        waiting.cancel()
        late.fail(DeadlineExceeded("too late"))
        await asyncio.sleep(0)
        classifier.gate.set()
        await asyncio.gather(held.done, stays.done)
    assert cancelled.done.cancelled()
    assert isinstance(late.done.exception(), DeadlineExceeded)
    assert positives(stays) == [classifier.positive("stays")]
    assert classifier.scored == [word_id("holding"), word_id("stays")]


async def _wait(job: Job) -> None:
    await job.done


async def test_caller_cancelled_on_the_device_leaves_its_neighbours_unharmed(classifier: FakeClassifier) -> None:
    async with batching(classifier) as batcher:
        held = await hold(batcher, classifier)
        padding = " " * INLINE_ASCII_CHARS  # so long that it is not tokenised at once
        leaving, staying = batcher.submit(["leaving" + padding], 10), batcher.submit(["staying" + padding], 10)
        await until(lambda: None not in (leaving.encoded + staying.encoded))
        classifier.entered.clear()
        classifier.gate.set()
        classifier.gate.clear()
        await until(classifier.entered.is_set)
        leaving.done.cancel()
        classifier.gate.set()
        await asyncio.gather(held.done, staying.done)
    assert positives(staying) == [classifier.positive("staying")]


async def test_deadline_passes_while_the_device_is_busy(classifier: FakeClassifier) -> None:
    async with batching(classifier) as batcher:
        await hold(batcher, classifier)
        with pytest.raises(DeadlineExceeded, match=r"within 20 ms"):
            await batcher.submit(["late"], 0.02).done
        assert batcher.admission.texts == 1


@pytest.mark.parametrize("num_bad", [1, 3])
async def test_failing_batch_is_halved_until_the_bad_are_alone(classifier: FakeClassifier, num_bad: int) -> None:
    texts = [f"{POISON} {i}" if i % 9 == 4 and i // 9 < num_bad else f"good {i}" for i in range(32)]
    async with batching(classifier) as batcher:
        job = batcher.submit(texts, 10)
        await job.done
    assert failures(job) == [text.startswith(POISON) for text in texts]
    assert sum(map(len, classifier.batches)) == 32 - num_bad


async def test_score_that_is_not_a_number_is_an_error(classifier: FakeClassifier) -> None:
    classifier.positive_of = lambda encoded: float("nan") if encoded.num_tokens == 2 else 0.5  # type: ignore[method-assign]
    async with batching(classifier) as batcher:
        job = batcher.submit(["one", "two words", "three words here"], 10)
        await job.done
    assert failures(job) == [False, True, False]


async def test_wrong_number_of_rows_never_reaches_a_caller(classifier: FakeClassifier) -> None:
    right = classifier.score
    classifier.score = lambda batch: right(batch)[: max(1, len(batch) - 1)]  # type: ignore[method-assign]
    async with batching(classifier) as batcher:
        job = batcher.submit(["a", "b", "c"], 10)
        await job.done
    assert positives(job) == [classifier.positive(text) for text in "abc"]


async def test_dead_device_thread_answers_its_waiters_and_is_replaced(classifier: FakeClassifier) -> None:
    async with batching(classifier) as batcher:
        for restarts in (1, 2):
            with pytest.raises(NotReady, match="being replaced"):
                await batcher.submit([FATAL], 10).done
            assert batcher.state == "restarting"
            job = batcher.submit(["afterwards"], 10)
            await job.done
            assert (batcher.state, batcher.thread.restarts) == ("running", restarts)
            assert positives(job) == [classifier.positive("afterwards")]


async def test_device_thread_that_keeps_dying_is_given_up(classifier: FakeClassifier) -> None:
    async with batching(classifier) as batcher:
        batcher.thread.restart_delay_s = 0.001
        for _ in range(batcher.thread.max_restarts):
            with pytest.raises(NotReady):
                await batcher.submit([FATAL], 10).done
            await until(lambda: batcher.state == "running")
        with pytest.raises(NotReady):
            await batcher.submit([FATAL], 10).done
        await until(lambda: batcher.state == "broken")
        with pytest.raises(NotReady, match="broken"):
            batcher.submit(["too late"], 10)


async def test_device_that_never_returns_is_noticed(classifier: FakeClassifier) -> None:
    async with batching(classifier, BatchLimits(stuck_after_s=0.02)) as batcher:
        await hold(batcher, classifier)
        await until(lambda: batcher.state == "stuck")
        with pytest.raises(NotReady):
            batcher.submit(["no"], 10)


async def test_classifiers_on_one_device_take_turns() -> None:
    lock = threading.Lock()
    first, second = FakeClassifier(), FakeClassifier()
    with ThreadPoolExecutor(2) as tokenisers:
        batchers = [
            Batcher(one, BatchLimits(), Metrics().for_model("m"), tokenisers=tokenisers, device=lock)
            for one in (first, second)
        ]
        for batcher in batchers:
            batcher.start()
        held = await hold(batchers[0], first)
        other = batchers[1].submit(["other"], 10)
        await asyncio.sleep(0.03)
        assert not second.entered.is_set()
        first.gate.set()
        await asyncio.gather(held.done, other.done)
        for batcher in batchers:
            await batcher.close()


async def test_close_answers_whoever_still_waits(classifier: FakeClassifier) -> None:
    async with batching(classifier) as batcher:
        await hold(batcher, classifier)
        waiting = batcher.submit(["waiting"], 10)
        closing = asyncio.ensure_future(batcher.close())
        with pytest.raises(NotReady, match="shutting down"):
            await waiting.done
        classifier.gate.set()
        await closing
        assert batcher.state == "stopped"


async def test_refusal_is_all_or_nothing(classifier: FakeClassifier) -> None:
    async with batching(classifier, BatchLimits(max_queue_texts=3)) as batcher:
        await hold(batcher, classifier)
        with pytest.raises(Overloaded) as refused:
            batcher.submit(["b", "c", "d"], 10)
        assert refused.value.retry_after_s == 1
        assert batcher.admission.texts == 1


async def test_stages_add_up(classifier: FakeClassifier) -> None:
    async with batching(classifier) as batcher:
        job = batcher.submit([f"text {i}" for i in range(200)], 10)
        await job.done
    stages = job.stages_s()
    assert len(stages) == len(STAGES)
    assert min(stages) >= 0
    assert sum(stages) == pytest.approx(job.finished_at - job.admitted_at)


async def test_work_abandoned_before_tokenising_is_not_tokenised(classifier: FakeClassifier) -> None:
    free = threading.Event()
    with ThreadPoolExecutor(1) as tokenisers:
        tokenisers.submit(free.wait, 10)
        batcher = Batcher(
            classifier, BatchLimits(), Metrics().for_model("m"), tokenisers=tokenisers, device=threading.Lock()
        )
        batcher.start()
        padding = " " * INLINE_ASCII_CHARS  # so long that it is not tokenised at once
        leaving, staying = batcher.submit(["leaving" + padding], 10), batcher.submit(["staying" + padding], 10)
        leaving.done.cancel()
        await asyncio.sleep(0)
        free.set()
        await staying.done
        await batcher.close()
    assert leaving.encoded == [None]
    assert batcher.admission.texts == 0


@pytest.fixture
def quick(classifier: FakeClassifier) -> FakeClassifier:
    """A classifier that computes no padding, on a CPU."""
    classifier.pads = False
    return classifier


async def test_a_small_batch_is_computed_where_it_arrives(quick: FakeClassifier) -> None:
    async with batching(quick) as batcher:
        jobs = [batcher.submit([f"text {i}", f"{i}"], 10) for i in range(3)]
        await asyncio.gather(*(job.done for job in jobs))
    assert [positives(job) for job in jobs] == [[quick.positive(f"text {i}"), quick.positive(f"{i}")] for i in range(3)]
    assert quick.threads == {threading.current_thread().name}
    assert quick.batches == [[2, 1] * 3]


async def test_a_batch_of_many_tokens_goes_to_the_device_thread(quick: FakeClassifier) -> None:
    quick.max_tokens = INLINE_TOKENS
    async with batching(quick) as batcher:
        requests = [["a " * 200] for _ in range(INLINE_TOKENS // 200 + 1)]
        await asyncio.gather(*(batcher.submit(texts, 10).done for texts in requests))
    assert quick.threads == {"device"}


async def test_a_small_batch_queues_behind_one_that_is_computed(quick: FakeClassifier) -> None:
    async with batching(quick) as batcher:
        quick.gate.clear()
        held = batcher.submit(["holding" + " " * INLINE_ASCII_CHARS], 10)  # so long that it is not tokenised at once
        await until(quick.entered.is_set)
        waiting = batcher.submit(["waiting"], 10)
        await asyncio.sleep(0.01)
        assert not waiting.done.done()
        quick.gate.set()
        await asyncio.gather(held.done, waiting.done)
    assert quick.threads == {"device"}


async def test_a_small_batch_that_kills_is_left_to_the_thread_that_is_replaced(quick: FakeClassifier) -> None:
    async with batching(quick) as batcher:
        with pytest.raises(NotReady, match="being replaced"):
            await batcher.submit([FATAL], 10).done
        job = batcher.submit(["afterwards"], 10)
        await job.done
        assert positives(job) == [quick.positive("afterwards")]
    assert batcher.thread.restarts == 1


async def test_only_texts_that_are_quickly_tokenised_keep_the_event_loop(quick: FakeClassifier) -> None:
    on_loop: list[bool] = []
    encode = quick.encode

    def noted(texts: Sequence[str]) -> list[Encoded]:
        on_loop.append(threading.current_thread() is threading.main_thread())
        return encode(texts)

    quick.encode = noted  # type: ignore[method-assign]
    async with batching(quick) as batcher:
        for text in (
            "a " * (INLINE_ASCII_CHARS // 2),
            "é " * (INLINE_ASCII_CHARS // 2),
            "a" * (INLINE_ASCII_CHARS + 1),
        ):
            await batcher.submit([text], 10).done
        assert on_loop == [True, False, False]
        in_turn = INLINE_TURN_CHARS // INLINE_ASCII_CHARS
        jobs = [batcher.submit(["a " * (INLINE_ASCII_CHARS // 2)], 10) for _ in range(in_turn + 2)]
        await asyncio.gather(*(job.done for job in jobs))
        assert sorted(on_loop[3:]) == [False, False, True]
        await batcher.submit(["a " * (INLINE_ASCII_CHARS // 2)], 10).done
        assert on_loop[-1]


async def test_texts_of_one_turn_are_tokenised_at_once_and_fail_alone(classifier: FakeClassifier) -> None:
    calls: list[int] = []
    encode = classifier.encode

    def counted(texts: Sequence[str]) -> list[Encoded]:
        calls.append(len(texts))
        return encode(texts)

    classifier.encode = counted  # type: ignore[method-assign]
    async with batching(classifier) as batcher:
        good, bad = batcher.submit(["good", "one"], 10), batcher.submit(["untokenisable", "two words"], 10)
        await asyncio.gather(good.done, bad.done)
        assert batcher.admission.tokens == 0
    assert calls[0] == 4
    assert (failures(good), failures(bad)) == ([False, False], [True, False])

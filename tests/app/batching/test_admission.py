import pytest

from app.batching.admission import MAX_RETRY_AFTER_S, Admission
from app.core.errors import Overloaded


def test_all_or_nothing_in_texts_and_tokens() -> None:
    admission = Admission(max_texts=4, max_tokens=100)
    permit = admission.admit(2, 60, 1)
    for texts, tokens in ((3, 1), (1, 41)):
        with pytest.raises(Overloaded):
            admission.admit(texts, tokens, 1)
    assert (admission.texts, admission.tokens) == (2, 60)
    permit.replace_tokens(60, 20)
    admission.admit(2, 80, 1)
    permit.release()
    permit.release()
    permit.replace_tokens(5, 50)
    assert (admission.texts, admission.tokens) == (2, 80)


def test_request_larger_than_the_queue_goes_alone() -> None:
    admission = Admission(max_texts=4, max_tokens=10)
    permit = admission.admit(9, 99, 1)
    with pytest.raises(Overloaded):
        admission.admit(1, 1, 1)
    permit.release()
    admission.admit(1, 1, 1)


def test_retry_after_is_the_work_ahead_over_the_measured_rate() -> None:
    admission = Admission(max_texts=10, max_tokens=10_000)
    admission.computed(1000, 2.0)  # 500 tokens/s
    admission.admit(10, 3200, 1)
    with pytest.raises(Overloaded) as refused:
        admission.admit(1, 1, 60)
    assert refused.value.retry_after_s == 7  # 6.4 s


def test_rate_follows_the_device() -> None:
    admission = Admission(max_texts=10, max_tokens=10_000_000)
    admission.computed(1000, 1.0)
    for _ in range(100):
        admission.computed(10_000, 1.0)
    admission.admit(10, 100_000, 1)
    with pytest.raises(Overloaded) as refused:
        admission.admit(1, 1, 60)
    assert refused.value.retry_after_s == pytest.approx(10, abs=1)


def test_work_that_could_not_meet_its_deadline_is_refused_at_once() -> None:
    admission = Admission(max_texts=100, max_tokens=1_000_000)
    admission.computed(100, 1.0)
    admission.admit(1, 500, 10)
    with pytest.raises(Overloaded, match="too late"):
        admission.admit(1, 1, 4.9)
    admission.admit(1, 1, 5.1)


def test_what_has_nothing_to_compute_waits_for_nothing() -> None:
    admission = Admission(max_texts=1, max_tokens=10)
    admission.computed(100, 1.0)
    admission.admit(1, 500, 10)
    admission.admit(0, 0, 1)


def test_retry_after_is_bounded() -> None:
    admission = Admission(max_texts=1, max_tokens=10)
    admission.computed(1, 1000.0)
    admission.admit(1, 10, 1)
    with pytest.raises(Overloaded) as refused:
        admission.admit(1, 1, 1e9)
    assert refused.value.retry_after_s == MAX_RETRY_AFTER_S


def test_those_who_are_refused_are_told_to_come_one_after_another() -> None:
    admission = Admission(max_texts=10, max_tokens=10_000)
    admission.computed(1000, 1.0)
    admission.admit(10, 4000, 1)  # 4 s of work: a text takes 0.4 s
    told = []
    for _ in range(200):
        with pytest.raises(Overloaded) as refused:
            admission.admit(5, 1, 60)
        told.append(refused.value.retry_after_s)
    assert told[:4] == [4, 6, 8, 10]
    assert told[-1] == MAX_RETRY_AFTER_S

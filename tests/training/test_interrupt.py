import os
import signal
import threading

import pytest

from training.interrupt import StopRequest


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_is_a_wish_and_the_handlers_are_put_back(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with StopRequest() as stop:
        assert not stop
        os.kill(os.getpid(), number)
        assert stop
        assert stop.signal is number
        assert signal.getsignal(number) == before
    assert signal.getsignal(number) == before


def test_the_second_signal_acts() -> None:
    with pytest.raises(KeyboardInterrupt), StopRequest():  # noqa: PT012
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)


def test_other_threads_have_no_handlers_to_set() -> None:
    seen = []

    def enter() -> None:
        with StopRequest() as stop:
            seen.append(bool(stop))

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert seen == [False]

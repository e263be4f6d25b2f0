import os
import signal
import threading
from collections.abc import Iterator

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


@pytest.fixture
def python_handles_ctrl_c() -> Iterator[None]:
    """As in a terminal; what a shell starts in the background ignores SIGINT instead."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("python_handles_ctrl_c")
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

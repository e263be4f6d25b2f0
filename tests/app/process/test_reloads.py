import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest
from click.testing import CliRunner

from app.__main__ import cli
from app.process.reloads import hold_reloads, take_hangups

_FIRST_IMPORT = """
import runpy, signal, sys

class Finder:
    def find_spec(name, *_):
        if name in ("click", "pydantic"):
            held = signal.pthread_sigmask(signal.SIG_BLOCK, ())
            print("held" if signal.SIGHUP in held else "lost", flush=True)

sys.meta_path.insert(0, Finder)
sys.argv = ["app", "serve", "--help"]
runpy.run_module("app", run_name="__main__", alter_sys=True)
"""


@pytest.fixture(autouse=True)
def mask() -> Iterator[None]:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    yield
    signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _held() -> bool:
    return signal.SIGHUP in signal.pthread_sigmask(signal.SIG_BLOCK, ())


def test_a_reload_waits_from_before_the_first_import() -> None:
    take_hangups()  # else the child would hold it already
    done = subprocess.run([sys.executable, "-c", _FIRST_IMPORT], capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines()[0] == "held", done.stderr


def test_only_the_server_holds_reloads() -> None:
    hold_reloads()
    assert _held()
    assert CliRunner().invoke(cli, ["key", "search"]).exit_code == 0
    assert not _held()

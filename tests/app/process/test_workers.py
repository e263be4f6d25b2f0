"""Several processes behind one socket: real ones, which are killed, and which fail."""

import errno
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import httpx2
import pytest

from app.process.exits import exit_codes
from app.process.workers import Supervisor
from model.checkpoint import save_checkpoint
from tests.app.conftest import made
from tests.app.process.test_server import ROOT, process, wait_ready, wait_until
from tests.conftest import make_checkpoint


def pids(server: subprocess.Popen[bytes]) -> set[int]:
    children = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()
    return {int(pid) for pid in children if b"spawn_main" in _command(pid)}


def _command(pid: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):  # it has just ended
        return b""


def _predict(url: str) -> int:
    # A new connection each time: any worker may take it.
    status: int = httpx2.post(f"{url}/predict", json={"inputs": "a good film"}, timeout=30).status_code
    return status


def _text(url: str) -> str:
    return httpx2.get(f"{url}/metrics", timeout=30).text


def _value(url: str, name: str) -> float:
    found = re.search(rf"^{re.escape(name)} (\S+)$", _text(url), re.MULTILINE)
    assert found is not None
    return float(found[1])


def _sockets(pid: int) -> int:
    found = 0
    for file in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed since it was listed
            found += str(file.readlink()).startswith("socket:")
    return found


def test_workers_share_connections_that_are_opened_while_they_are_idle(tiny_checkpoint: Path, tmp_path: Path) -> None:
    with process(tmp_path / "log", "--model", f"tiny={tiny_checkpoint}", "--workers", "2", "--no-explain") as (
        server,
        url,
    ):
        wait_ready(url)
        workers = sorted(pids(server))
        before = [_sockets(pid) for pid in workers]
        address = ("127.0.0.1", int(url.rpartition(":")[2]))
        with ExitStack() as stack:
            for _ in range(16):
                stack.enter_context(socket.create_connection(address, timeout=10))
                time.sleep(0.01)  # until then it is accepted, and counts
            # 8 each, but where a busy machine keeps a worker from its core.
            wait_until(lambda: all(_sockets(pid) >= least + 4 for pid, least in zip(workers, before, strict=True)))


def test_workers_share_the_work_and_one_that_dies_is_replaced(tmp_path: Path) -> None:
    folder = tmp_path / "tiny"
    save_checkpoint(folder, make_checkpoint())
    arguments = ("--model", f"tiny={folder}", "--workers", "2", "--drain-delay-s", "0")
    with process(tmp_path / "log", *arguments) as (server, url):
        wait_ready(url)
        first = pids(server)
        assert len(first) == 2
        assert [_predict(url) for _ in range(20)] == [200] * 20
        texts = 'sluice_texts_total{model="tiny"}'
        requests = 'sluice_http_requests_total{method="POST",route="/predict",status="200"}'
        wait_until(lambda: _value(url, requests) == 20)  # what another worker counted is a second old
        assert _value(url, texts) == 20
        assert _value(url, "sluice_workers") == 2

        version = save_checkpoint(folder, make_checkpoint(seed=1))  # which nobody was told of
        victim = min(first)
        os.kill(victim, signal.SIGKILL)
        wait_until(lambda: len(pids(server) - {victim}) == 2)
        assert pids(server) - first
        # The new one takes connections only when it is warm: none is refused.
        assert [_predict(url) for _ in range(20)] == [200] * 20
        wait_until(lambda: _value(url, texts) == 40)
        wait_until(lambda: _value(url, "sluice_workers") == 2)
        assert _value(url, "sluice_worker_restarts_total") == 1
        # Whichever worker answered, and whether it is still there: each request is in each figure once.
        assert _value(url, requests) == 40
        for stage in ("read", "compute", "respond"):
            assert _value(url, f'sluice_stage_seconds_count{{model="tiny",stage="{stage}"}}') == 40
        assert _value(url, 'sluice_text_tokens_sum{model="tiny"}') == _value(url, 'sluice_tokens_total{model="tiny"}')
        given = re.findall(r"^sluice_predictions_total\{.*\} (\S+)$", _text(url), re.MULTILINE)
        assert sum(map(float, given)) == 40
        # The new one could load that version only; so the other one takes it too.
        wait_until(lambda: re.findall(r'^sluice_model_info\{.*version="(\w+)"', _text(url), re.MULTILINE) == [version])

        server.send_signal(signal.SIGTERM)
        assert server.wait(30) == 0


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which a server makes the one that its processes share."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    return folder


def test_the_folder_that_workers_share_may_be_removed(tiny_checkpoint: Path, tmp_path: Path, temporary: Path) -> None:
    user, line = made(rate="1000", roles="predict,metrics")
    log = tmp_path / "log"
    arguments = ("--model", f"tiny={tiny_checkpoint}", "--workers", "2", "--no-explain", "--api-keys", line)
    with process(log, *arguments) as (server, url):
        wait_ready(url)

        def value(name: str) -> float:
            found = re.search(rf"^{name} (\S+)$", httpx2.get(f"{url}/metrics", headers=user).text, re.MULTILINE)
            return float(found[1]) if found is not None else 0

        def predict() -> int:
            answer = httpx2.post(f"{url}/predict", json={"inputs": "a good film"}, headers=user, timeout=30)
            return int(answer.status_code)

        texts = 'sluice_texts_total{model="tiny"}'
        assert [predict() for _ in range(10)] == [200] * 10
        first = pids(server)
        victim = min(first)
        os.kill(victim, signal.SIGKILL)
        wait_until(lambda: len(pids(server) - {victim}) == 2)
        wait_until(lambda: value("sluice_workers") == 2)
        before = value(texts)  # of the dead worker too
        (shared,) = temporary.glob("sluice-*")
        shutil.rmtree(shared.rename(temporary / "gone"))  # at once: a worker may be about to write into it
        wait_until(shared.is_dir)
        second = pids(server)
        victim = min(second)
        os.kill(victim, signal.SIGKILL)
        wait_until(lambda: len(pids(server) - {victim}) == 2)
        wait_until(lambda: value("sluice_workers") == 2)
        assert value("sluice_worker_restarts_total") == 2
        assert value(texts) == before
        assert predict() == 200
        assert "was removed, and is written again" in log.read_text()
        assert "Error" not in log.read_text()


def test_restarts_are_told_as_soon_as_there_is_room(tiny_checkpoint: Path, tmp_path: Path, temporary: Path) -> None:
    arguments = ("--model", f"tiny={tiny_checkpoint}", "--workers", "2", "--no-explain")
    with process(tmp_path / "log", *arguments) as (server, url):
        wait_ready(url)
        (shared,) = temporary.glob("sluice-*")
        full = shared / f"{server.pid}.json.partial"
        full.symlink_to("/dev/full")
        victim = min(pids(server))
        os.kill(victim, signal.SIGKILL)
        wait_until(lambda: len(pids(server) - {victim}) == 2)
        assert _value(url, "sluice_worker_restarts_total") == 0
        full.unlink()
        wait_until(lambda: _value(url, "sluice_worker_restarts_total") == 1)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_while_workers_start_ends_them_well(
    number: signal.Signals, tiny_checkpoint: Path, tmp_path: Path
) -> None:
    with process(tmp_path / "log", "--model", str(tiny_checkpoint), "--workers", "4") as (server, _):
        wait_until(lambda: bool(pids(server)))
        server.send_signal(number)
        assert server.wait(30) == 0
        assert "Traceback" not in (tmp_path / "log").read_text()


def test_a_checkpoint_that_cannot_be_loaded_ends_all(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "app", "serve", "--port", "0", "--workers", "2", "--model", str(tmp_path / "none")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "Error: " in done.stderr
    assert "Traceback" not in done.stderr


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_workers_leave_when_their_parent_went_before_they_had_begun(tiny_checkpoint: Path, tmp_path: Path) -> None:
    with process(tmp_path / "log", "--model", str(tiny_checkpoint), "--workers", "2") as (server, _):
        wait_until(lambda: len(pids(server)) == 2)
        workers = pids(server)
        server.kill()
        server.wait()
        wait_until(lambda: not any(_runs(pid) for pid in workers))


def test_without_a_folder_for_temporary_files_the_start_ends_with_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
    with socket.socket() as sock, pytest.raises(SystemExit) as ended, exit_codes():
        Supervisor(2, sock, print).run()
    assert ended.value.code == 1
    said = capsys.readouterr().err
    assert said.startswith(f"Error: {tmp_path / 'none'}")
    assert said.endswith("make both writable, with room to spare (TMPDIR names another folder), or use --workers 1\n")


@dataclass(eq=False)
class _Child:
    """A worker that runs until it is told that it has ended."""

    pid: int
    sentinel: socket.socket
    exitcode: int | None = None
    start: object = None


@pytest.fixture
def handlers() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("handlers")
def test_no_room_for_another_process_costs_no_other_worker_and_an_interrupt_no_worker_that_starts(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    children: list[_Child] = []
    attempts = iter([True, True, False, False, True])
    sent: list[tuple[int, int]] = []

    def start() -> None:
        if not next(attempts):
            children.pop()
            raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")
        replaces = len(children) == 3
        if replaces:  # it has no handler yet
            signal.raise_signal(signal.SIGINT)
        else:
            supervisor._loaded[len(children) - 1], supervisor._connections[len(children) - 1] = 1, 0
        if len(children) == 2:  # of which the first is killed
            children[0].exitcode = -signal.SIGKILL

    def kill(pid: int, number: int) -> None:
        sent.append((pid, number))
        children[pid - 1].exitcode = 0

    with socket.socket() as sock, ExitStack() as stack:

        def make(**_: object) -> _Child:
            sentinel = stack.enter_context(socket.socket(type=socket.SOCK_DGRAM))  # never to be read
            children.append(_Child(len(children) + 1, sentinel, start=start))
            return children[-1]

        supervisor = Supervisor(2, sock, print)
        monkeypatch.setattr(supervisor, "_context", SimpleNamespace(Process=make))
        monkeypatch.setattr("app.process.workers.RESTART_DELAY_S", 0.01)
        monkeypatch.setattr("app.process.workers.POLL_S", 0.02)
        monkeypatch.setattr("app.process.workers.os.kill", kill)
        assert supervisor.run() == 0
    said = [record.getMessage() for record in caplog.records]
    assert said == ["a worker died and cannot be replaced; trying again each second", "a worker died and is replaced"]
    assert vars(caplog.records[0])["cause"] == "Resource temporarily unavailable"
    assert sorted(sent) == [(2, signal.SIGINT), (3, signal.SIGTERM)]

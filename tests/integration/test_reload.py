"""Models exchanged in real processes: by SIGHUP, by an administrator, with several workers, on a full disk."""

import json
import os
import shutil
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest

from model.checkpoint import save_checkpoint
from tests.app.api.test_admin import HEADERS, KEY
from tests.app.process.test_server import process, wait_ready, wait_until
from tests.app.process.test_workers import _value, pids
from tests.conftest import make_checkpoint


def _version(url: str, model: str | None = None) -> str | None:
    # A new connection each time: any worker may take it.
    response = httpx2.post(
        f"{url}/predict", json={"inputs": "a good film", "model": model}, headers=HEADERS, timeout=30
    )
    return response.json()["version"] if response.status_code == 200 else None


def _all_answer(url: str, version: str | None, model: str | None = None) -> Callable[[], bool]:
    return lambda: {_version(url, model) for _ in range(16)} == {version}


def _messages(log: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.read_text().splitlines()]


def test_no_request_fails_while_a_signal_exchanges_the_model(tmp_path: Path) -> None:
    folder = tmp_path / "tiny"
    versions = [save_checkpoint(folder, make_checkpoint(seed=0))]
    with process(tmp_path / "log", "--model", str(folder)) as (server, url):
        wait_ready(url)
        answers: list[tuple[int, str, float]] = []
        done = threading.Event()

        def ask() -> None:
            with httpx2.Client(timeout=30) as client:
                while not done.is_set():
                    response = client.post(f"{url}/predict", json={"inputs": "a good film"})
                    body = response.json()
                    answers.append((response.status_code, body["version"], body["predictions"][0]["score"]))

        thread = threading.Thread(target=ask, daemon=True)
        thread.start()
        wait_until(lambda: bool(answers))
        for seed in (1, 2):
            versions.append(save_checkpoint(folder, make_checkpoint(seed=seed)))
            server.send_signal(signal.SIGHUP)
            wait_until(lambda: bool(answers) and answers[-1][1] == versions[-1])
        shutil.rmtree(folder)
        server.send_signal(signal.SIGHUP)
        wait_until(lambda: httpx2.get(f"{url}/models/tiny").json()["last_failure"] is not None)
        time.sleep(0.1)
        done.set()
        thread.join()
        server.send_signal(signal.SIGTERM)
        assert server.wait(30) == 0
    assert {status for status, _, _ in answers} == {200}
    assert list(dict.fromkeys(version for _, version, _ in answers)) == versions  # each in its turn
    assert len({(version, score) for _, version, score in answers}) == len(versions)


def _fill_disk(folder: Path, pid: int, name: str) -> None:
    """From now on the worker gets ENOSPC when it writes this file."""
    partial = folder / f"{name}.partial"
    while True:
        os.kill(pid, signal.SIGSTOP)
        try:
            if not partial.is_symlink():
                partial.symlink_to("/dev/full")
            return
        except FileExistsError:  # it is being written just now
            pass
        finally:
            os.kill(pid, signal.SIGCONT)
        time.sleep(0.01)


def _full(log: Path) -> list[str]:
    """Causes for which workers could not share their counts."""
    return [m["cause"] for m in _messages(log) if m["message"].startswith("a worker cannot share its counts")]


def test_all_workers_follow_a_new_one_too_and_a_full_disk_stops_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary, log = tmp_path / "temporary", tmp_path / "log"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    folder = tmp_path / "models" / "tiny"
    save_checkpoint(folder, make_checkpoint(seed=0))
    second = save_checkpoint(tmp_path / "models" / "second", make_checkpoint(seed=1))
    arguments = ["--model", f"tiny={folder}", "--workers", "2", "--admin", "--models-folder", str(folder.parent)]
    arguments += ["--api-keys", KEY, "--public-metrics"]
    with process(log, *arguments) as (server, url):
        for _ in range(5):  # before the workers can heed it: it must end none of them
            server.send_signal(signal.SIGHUP)
            time.sleep(0.02)
        wait_ready(url)
        version = save_checkpoint(folder, make_checkpoint(seed=2))
        server.send_signal(signal.SIGHUP)
        wait_until(_all_answer(url, version))

        # Two changes, one right after the other: whichever worker gets the second one knows of the first.
        one = httpx2.put(f"{url}/admin/models/other", json={"path": "tiny"}, headers=HEADERS, timeout=30)
        two = httpx2.put(
            f"{url}/admin/models/other/candidate",
            json={"path": "second", "share": 1},
            headers=HEADERS,
            timeout=30,
        )
        assert (one.status_code, two.status_code) == (200, 200)
        wait_until(_all_answer(url, second, "other"))
        before = pids(server)
        os.kill(min(before), signal.SIGKILL)
        wait_until(lambda: len(pids(server) - {min(before)}) == 2)
        assert _all_answer(url, second, "other")()

        (board,) = temporary.glob("sluice-*")
        for pid in pids(server):
            _fill_disk(board, pid, f"{pid}.json")
            _fill_disk(board, pid, "plans")
        told = httpx2.delete(f"{url}/admin/models/other", headers=HEADERS, timeout=30)
        assert told.status_code == 503
        assert told.json()["detail"] == (
            "The other processes of this server cannot be told: No space left on device. Nothing has changed."
        )
        assert _all_answer(url, second, "other")()
        version = save_checkpoint(folder, make_checkpoint(seed=3))
        server.send_signal(signal.SIGHUP)
        wait_until(_all_answer(url, version))
        wait_until(lambda: len(_full(log)) == 2)
        time.sleep(1.2)  # more than one attempt later
        assert _value(url, "sluice_ready") == 1
        assert _full(log) == ["No space left on device"] * 2  # one a worker
        os.kill(min(pids(server)), signal.SIGKILL)  # which its parent survives
        wait_until(lambda: len(pids(server)) == 2)
        assert server.poll() is None

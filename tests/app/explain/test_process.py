"""The process that explains below real servers: that it follows their models, and that none outlives them."""

import os
import shutil
import signal
from pathlib import Path
from typing import Any

import httpx2
import pytest

from app.explain.worker import NAME
from model.checkpoint import save_checkpoint
from tests.app.process.test_server import process, wait_ready, wait_until
from tests.app.process.test_workers import pids
from tests.conftest import make_checkpoint

TEXT = "A good film. Don't miss it!"


def explain(url: str, inputs: object = TEXT, **fields: object) -> httpx2.Response:
    return httpx2.post(f"{url}/explain", json={"inputs": inputs, **fields}, timeout=60)


def children(pid: int) -> set[int]:
    """Processes that explain below this one."""
    try:
        found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        # Any thread may have started it.
        for task in Path(f"/proc/{pid}/task").iterdir():
            found += (task / "children").read_text().split()
        return {int(child) for child in found if Path(f"/proc/{child}/comm").read_text().strip() == NAME}
    except (FileNotFoundError, ProcessLookupError):
        return set()


def runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_it_explains_the_version_that_is_served_or_says_it_cannot_and_does_not_outlive_a_killed_server(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "tiny"
    first = save_checkpoint(folder, make_checkpoint(seed=0))
    with process(tmp_path / "log", "--model", str(folder)) as (server, url):
        wait_ready(url)
        shutil.copytree(folder, tmp_path / "kept")
        second = save_checkpoint(folder, make_checkpoint(seed=1))
        early = explain(url)  # the first version is served, and nobody has opened it for explaining yet
        assert early.status_code == 503
        assert "its folder holds another one by now" in early.json()["detail"]
        server.send_signal(signal.SIGHUP)
        wait_until(lambda: _served(url) == second)
        answers = [explain(url).json()]
        save_checkpoint(folder, make_checkpoint(seed=0))
        answers.append(explain(url).json())  # what it has opened it can go on explaining
        server.send_signal(signal.SIGHUP)
        wait_until(lambda: _served(url) == first)
        answers.append(explain(url).json())
        predicted = httpx2.post(f"{url}/predict", json={"inputs": TEXT}).json()["predictions"][0]
        (child,) = children(server.pid)
        server.kill()
        server.wait()
        wait_until(lambda: not runs(child))
    assert [answer["version"] for answer in answers] == [second, second, first]
    scores = [answer["explanations"][0]["score"] for answer in answers]
    assert scores[0] == scores[1] != scores[2]
    assert scores[2] == pytest.approx(predicted["score"], abs=0.01)  # one computes in float32, the other in 8 bits


def _served(url: str) -> Any:
    return httpx2.get(f"{url}/models/tiny").json()["version"]


def test_a_copy_of_the_server_waits_from_the_start_and_a_program_replaces_it(
    tiny_checkpoint: Path, tmp_path: Path
) -> None:
    with process(tmp_path / "log", "--model", str(tiny_checkpoint)) as (server, url):
        wait_ready(url)
        (copy,) = children(server.pid)
        assert _command(copy) == _command(server.pid)
        files = [str(link.readlink()) for link in Path(f"/proc/{copy}/fd").iterdir()]
        assert len([file for file in files if file.startswith("socket:")]) == 1  # none of them is the server's
        first = explain(url).json()["explanations"]
        assert children(server.pid) == {copy}
        os.kill(copy, signal.SIGKILL)
        assert explain(url).status_code == 503
        assert explain(url).json()["explanations"] == first
        (program,) = children(server.pid)
        assert b"app.explain.worker" in _command(program)


def _command(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()


def test_ctrl_c_is_the_servers_to_obey_and_none_outlives_it(tiny_checkpoint: Path, tmp_path: Path) -> None:
    with process(tmp_path / "log", "--model", str(tiny_checkpoint), "--drain-delay-s", "0") as (server, url):
        wait_ready(url)
        assert explain(url).status_code == 200
        (child,) = children(server.pid)
        os.kill(child, signal.SIGINT)  # a terminal sends it to both, and the server may have requests to finish
        assert explain(url).status_code == 200
        assert children(server.pid) == {child}
        server.send_signal(signal.SIGINT)
        assert server.wait(30) == 0
        wait_until(lambda: not runs(child))


def test_each_worker_has_its_own_and_none_outlives_it_or_the_server(tiny_checkpoint: Path, tmp_path: Path) -> None:
    with process(tmp_path / "log", "--model", str(tiny_checkpoint), "--workers", "2") as (server, url):
        wait_ready(url)
        wait_until(lambda: explain(url).status_code == 200 and all(children(pid) for pid in pids(server)))
        victim = min(pids(server))
        (child,) = children(victim)
        os.kill(victim, signal.SIGKILL)
        wait_until(lambda: not runs(child))
        assert explain(url).status_code == 200
        workers = pids(server)
        others = workers | {child for pid in workers for child in children(pid)}
        server.kill()
        server.wait()
        wait_until(lambda: not any(runs(pid) for pid in others))

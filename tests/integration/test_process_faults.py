"""Faults of whole processes: killed and told to leave under load, a clock or quota that the system sets."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest
import uvloop

from app.process.listening import listen
from app.process.server import Server
from benchmarks.faults.drain import drain
from benchmarks.lib.server import Running
from tests.app.conftest import FakeClassifier, make_app, make_settings, service_of, until
from tests.app.process.test_server import ROOT, process, wait_ready, wait_until
from tests.app.process.test_workers import pids

NUM_CALLERS = 6
CGROUPS = Path("/sys/fs/cgroup")


@dataclass
class Load:
    """Callers who keep a connection each busy until they are stopped; a broken one costs one request and is renewed."""

    url: str
    statuses: Counter[int] = field(default_factory=Counter)
    broken: int = 0
    stopped: threading.Event = field(default_factory=threading.Event)

    def call(self) -> None:
        client = httpx2.Client(base_url=self.url, timeout=30)
        while not self.stopped.is_set():
            try:
                self.statuses[client.post("/predict", json={"inputs": "a good film"}).status_code] += 1
            except httpx2.TransportError:
                self.broken += 1
        client.close()

    def __enter__(self) -> "Load":
        self.threads = [threading.Thread(target=self.call) for _ in range(NUM_CALLERS)]
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopped.set()
        for thread in self.threads:
            thread.join()


def test_worker_killed_under_load_loses_what_it_had_in_flight_and_comes_back(
    tiny_checkpoint: Path, tmp_path: Path
) -> None:
    arguments = ("--model", str(tiny_checkpoint), "--workers", "2", "--drain-delay-s", "0")
    with process(tmp_path / "log", *arguments) as (server, url):
        wait_ready(url)
        with Load(url) as load:
            wait_until(lambda: load.statuses[200] > 50)
            victim = min(pids(server))
            os.kill(victim, signal.SIGKILL)
            wait_until(lambda: len(pids(server) - {victim}) == 2)
            answered = load.statuses[200]
            wait_until(lambda: load.statuses[200] > answered + 50)
        assert load.statuses.keys() == {200}
        assert load.broken <= NUM_CALLERS


def test_killed_server_starts_again_at_once_on_its_port(tiny_checkpoint: Path, tmp_path: Path) -> None:
    with process(tmp_path / "first", "--model", str(tiny_checkpoint)) as (server, url):
        wait_ready(url)
        with httpx2.Client(base_url=url) as client:
            assert client.post("/predict", json={"inputs": "a"}).status_code == 200
            server.kill()
            server.wait()
            with pytest.raises(httpx2.TransportError):
                client.post("/predict", json={"inputs": "a"})
    port = str(urlsplit(url).port)
    with process(tmp_path / "second", "--model", str(tiny_checkpoint), "--port", port) as (_, again):
        assert again == url
        wait_ready(again)
        assert httpx2.post(f"{again}/predict", json={"inputs": "a"}).status_code == 200


def test_nothing_is_lost_when_the_balancer_heeds_readiness(tiny_checkpoint: Path, tmp_path: Path) -> None:
    with process(tmp_path / "log", "--model", str(tiny_checkpoint), "--drain-delay-s", "0.5") as (server, url):
        wait_ready(url)
        callers = uvloop.run(drain(Running(urlsplit(url).port or 0, server.pid), heeds=True))
        assert server.wait(10) == 0
    assert callers.statuses.keys() == {200}


@pytest.mark.anyio
async def test_request_on_a_connection_accepted_before_the_end_is_answered(classifier: FakeClassifier) -> None:
    settings = make_settings(port=0)
    app = make_app(settings, {"sentiment": classifier})
    sock = listen(settings.network, settings.connections)
    server = Server(app, service_of(app), sock)
    port = sock.getsockname()[1]
    serving = asyncio.create_task(server.serve())
    await until(lambda: service_of(app).registry.ready)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    await asyncio.sleep(0.05)  # accepted
    service_of(app).registry.draining = server.should_exit = True
    while True:
        try:
            (await asyncio.open_connection("127.0.0.1", port))[1].close()
        except ConnectionError:  # refused, or reset while it waited to be accepted
            break
    writer.write(b'POST /predict HTTP/1.1\r\nHost: a\r\nContent-Length: 15\r\n\r\n{"inputs": "a"}')
    answer = await asyncio.wait_for(reader.read(), 5)
    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert b"connection: close" in answer
    writer.close()
    await asyncio.wait_for(serving, 5)


@pytest.fixture
def one_cpu() -> Iterator[tuple[Path, Path]]:
    """A control group that grants one processor's time, and where the system's own is mounted."""
    own = CGROUPS / "cpu" if (CGROUPS / "cpu").is_dir() else CGROUPS
    group = own / f"sluice-test-{os.getpid()}"
    try:
        group.mkdir()
    except OSError as error:
        pytest.skip(f"no control group can be made here: {error}")
    try:
        if own == CGROUPS:
            (group / "cpu.max").write_text("100000 100000")
        else:
            (group / "cpu.cfs_quota_us").write_text("100000")
        yield group, own
    except OSError as error:
        pytest.skip(f"no quota can be set here: {error}")
    finally:
        deadline = time.monotonic() + 5
        while (group / "cgroup.procs").read_text().strip() and time.monotonic() < deadline:
            time.sleep(0.05)
        group.rmdir()


@pytest.mark.skipif(shutil.which("unshare") is None or os.geteuid() != 0, reason="needs root and unshare")
def test_quota_of_one_processor_is_followed(one_cpu: tuple[Path, Path]) -> None:
    """As in a container: within the group, whose folder is where the root of all groups is for others."""
    group, own = one_cpu
    script = 'echo $$ > "$1/cgroup.procs" && mount --bind "$1" "$2" && exec "$3" -c "$4"'
    code = "from app.config.settings import Settings; s = Settings().compute; print(s.threads, s.tokenise_threads)"
    command = ["unshare", "--mount", "sh", "-c", script, "sh", str(group), str(own), sys.executable, code]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    if "unshare" in run.stderr or "mount" in run.stderr:
        pytest.skip(run.stderr.strip())
    assert run.stdout.split() == ["1", "1"], run.stderr

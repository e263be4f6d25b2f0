"""The server as a process of its own, on a real port, with a real checkpoint."""

import ast
import asyncio
import inspect
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

import httpx2
import numpy as np
import pytest
from click.testing import CliRunner

from app.config.settings import SettingsError
from app.core.shared import SharedFolder
from app.process.acceptor import AWAY
from app.process.connections import Connections
from app.process.listening import listen
from app.process.server import UVICORN, Server, run
from model.checkpoint import save_checkpoint
from model.classifier import Classifier
from tests.app.conftest import FakeClassifier, make_app, make_settings, service_of, until
from tests.conftest import make_checkpoint
from training.__main__ import main as training

ROOT = Path(__file__).resolve().parents[3]


@contextmanager
def process(log: Path, *arguments: str) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """A running server and its address; its log goes to a file."""
    command = [sys.executable, "-m", "app", "serve", "--port", "0", "--threads", "1", *arguments]
    environ = {name: value for name, value in os.environ.items() if not name.startswith("SLUICE_")}
    with (
        log.open("wb") as output,
        subprocess.Popen(command, cwd=ROOT, env=environ, stdout=output, stderr=subprocess.STDOUT) as server,
    ):
        try:
            deadline = time.monotonic() + 120
            while b"listening" not in log.read_bytes():
                assert server.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.05)
            yield server, json.loads(log.read_text().splitlines()[0])["url"]
        finally:
            server.kill()


def wait_until(condition: Callable[[], bool], seconds: float = 30) -> None:
    """Waits for a condition, half a minute at most."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def wait_ready(url: str) -> None:
    """Waits two minutes at most; nothing is answered while PyTorch is imported, which a busy machine draws out."""
    deadline = time.monotonic() + 120
    while httpx2.get(f"{url}/health/ready", timeout=120).status_code != 200:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _of_self(kind: type) -> set[str]:
    """Attributes that the methods of a class read or set on `self`."""
    return {
        node.attr
        for node in ast.walk(ast.parse(inspect.getsource(kind)))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self"
    }


@pytest.mark.parametrize("kind", [Server, Connections])
def test_no_private_part_of_uvicorn_is_used_that_is_not_named(kind: type) -> None:
    base = kind.__mro__[1]
    brought = _of_self(base) | set(vars(base))
    borrowed = {name for name in (_of_self(kind) | set(vars(kind))) & brought if not name.startswith("__")}
    assert borrowed == set(UVICORN[base.__name__])


def test_the_minor_version_of_uvicorn_is_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    (pin,) = [line for line in project["dependencies"] if line.startswith("uvicorn")]
    major, minor = map(int, version("uvicorn").split(".")[:2])
    assert pin == f"uvicorn>={major}.{minor},<{major}.{minor + 1}"


def test_serves_a_checkpoint_and_leaves_on_sigterm(tiny_checkpoint: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    options = ("--drain-delay-s", "2", "--no-explain")
    with process(log, "--model", f"tiny={tiny_checkpoint}", *options) as (server, url):
        assert httpx2.get(f"{url}/health/live").status_code == 200
        wait_ready(url)
        tasks = Path(f"/proc/{server.pid}/task").iterdir()
        assert not any((task / "children").read_text() for task in tasks)  # nor one that would explain
        answer = httpx2.post(f"{url}/predict", content=b'{"inputs":["a good film","\\ud800",""]}').json()
        assert answer["model"] == "tiny"
        assert [set(entry) for entry in answer["predictions"]] == [
            {"label", "score", "scores", "tokens", "truncated"}
        ] * 3
        assert sum(entry["score"] for entry in answer["predictions"][0]["scores"]) == pytest.approx(1, abs=2e-6)

        server.send_signal(signal.SIGTERM)
        time.sleep(0.1)
        assert httpx2.get(f"{url}/health/ready").status_code == 503
        assert httpx2.post(f"{url}/predict", json={"inputs": "still here"}).status_code == 200
        assert server.wait(20) == 0
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert {line["route"] for line in lines if line["message"] == "request"} == {
        "/health/live",
        "/health/ready",
        "/predict",
    }


def test_labels_of_requests_and_lines(tmp_path: Path) -> None:
    checkpoint = make_checkpoint(labels=("negative", "neutral", "positive"))
    save_checkpoint(tmp_path / "three", checkpoint)
    with process(tmp_path / "log", "--model", str(tmp_path / "three"), "--cache-texts", "10") as (_, url):
        wait_ready(url)
        asked = {"inputs": "a good film"}
        among = asked | {"labels": ["positive", "negative"]}
        whole, chosen = (
            httpx2.post(f"{url}/predict", json=body).json()["predictions"][0]["scores"] for body in (asked, among)
        )
        line = httpx2.post(f"{url}/predict/stream", json=among).json()
        refused = httpx2.post(f"{url}/predict", json=asked | {"labels": ["good", "bad"]})
    rest = [entry for entry in whole if entry["label"] != "neutral"]
    total = sum(entry["score"] for entry in rest)
    assert chosen == [entry | {"score": pytest.approx(entry["score"] / total, abs=5e-6)} for entry in rest]
    assert line["scores"] == chosen
    assert refused.status_code == 422
    assert (
        refused.json()["detail"] == "`labels[0]` is not a label of the model. It has `negative`, `neutral`, `positive`."
    )


def test_abstains_below_the_threshold_that_a_command_wrote(tiny_checkpoint: Path, tmp_path: Path) -> None:
    checkpoint = shutil.copytree(tiny_checkpoint, tmp_path / "tiny")
    classifier = Classifier.load(checkpoint, device="cpu")
    texts = [f"{first} {second}" for first in "abcdefgh" for second in ["good", "bad", "film", "plot", "star"]]
    rows = classifier.predict(texts)
    sure = rows.max(axis=1) > np.median(rows.max(axis=1))
    right = [classifier.labels[row.argmax() if kept else row.argmin()] for row, kept in zip(rows, sure, strict=True)]
    lines = [f"{text},{label}\n" for text, label in zip(texts * 10, right * 10, strict=True)]
    (tmp_path / "held_out.csv").write_text("text,label\n" + "".join(lines))
    with process(tmp_path / "log", "--model", str(checkpoint), "--watch-s", "0.2") as (_, url):
        wait_ready(url)
        body = {"inputs": texts, "min_precision": 0.9}
        assert "was not measured" in httpx2.post(f"{url}/predict", json=body).json()["detail"]
        written = CliRunner().invoke(training, ["precision", str(checkpoint), str(tmp_path / "held_out.csv")])
        assert written.exit_code == 0, written.output
        wait_until(lambda: httpx2.post(f"{url}/predict", json=body).status_code == 200)
        answers = httpx2.post(f"{url}/predict", json=body).json()["predictions"]
        (card,) = httpx2.get(f"{url}/models").json()["models"]
    assert [found["precision"] for found in card["precisions"]] == [0.9, 0.95, 0.99]
    least = card["precisions"][0]
    assert sure.mean() <= least["coverage"] < 0.6
    assert {answer["label"] is None for answer in answers} == {False, True}
    for answer in answers:
        best = answer["scores"][0]
        assert answer["score"] == best["score"]
        assert answer["label"] == (best["label"] if best["score"] >= least["threshold"] else None)


def test_second_signal_leaves_at_once(tiny_checkpoint: Path, tmp_path: Path) -> None:
    with process(tmp_path / "log", "--model", str(tiny_checkpoint), "--drain-delay-s", "60") as (server, url):
        assert httpx2.get(f"{url}/health/live").status_code == 200
        server.send_signal(signal.SIGTERM)
        # Two signals that nobody has heeded yet are one.
        wait_until(lambda: "shutting down" in httpx2.get(f"{url}/health/ready").text)
        assert server.poll() is None
        server.send_signal(signal.SIGTERM)
        assert server.wait(30) == -signal.SIGTERM


def test_port_in_use_is_a_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        settings = make_settings(port=port)
        with pytest.raises(SettingsError, match=f"Cannot listen on 127.0.0.1 port {port}: Address already in use"):
            listen(settings.network, settings.connections)


def test_large_blocks_go_back_before_the_first_request(
    monkeypatch: pytest.MonkeyPatch, classifier: FakeClassifier
) -> None:
    happened: list[str] = []
    monkeypatch.setattr("app.process.server.return_large", lambda: happened.append("large blocks go back"))
    monkeypatch.setattr(Server, "run", lambda *_, **__: happened.append("serves"))
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    monkeypatch.setattr(signal, "pthread_sigmask", lambda *_: None)
    settings = make_settings(port=0)
    with listen(settings.network, settings.connections) as sock:
        app = make_app(settings, {"sentiment": classifier})
        run(app, service_of(app), sock)
    assert happened == ["large blocks go back", "serves"]


@pytest.mark.anyio
async def test_drain_finishes_what_is_in_flight(classifier: FakeClassifier) -> None:
    settings = make_settings(port=0, drain_delay_s=0.0)
    app = make_app(settings, {"sentiment": classifier})
    sock = listen(settings.network, settings.connections)
    server = Server(app, service_of(app), sock)
    url = f"http://127.0.0.1:{sock.getsockname()[1]}"
    before = {sig: signal.getsignal(sig) for sig in (signal.SIGINT, signal.SIGTERM)}
    serving = asyncio.create_task(server.serve())
    try:
        await until(lambda: service_of(app).registry.ready)
        async with httpx2.AsyncClient(base_url=url) as client:
            classifier.gate.clear()
            held = asyncio.create_task(client.post("/predict", json={"inputs": "in flight"}))
            await until(classifier.entered.is_set)
            os.kill(os.getpid(), signal.SIGTERM)
            await until(lambda: server.should_exit)
            await asyncio.sleep(0.2)
            assert not held.done()
            classifier.gate.set()
            assert (await held).json()["predictions"][0]["tokens"] == 2
        await asyncio.wait_for(serving, 5)
    finally:
        for sig, handler in before.items():
            signal.signal(sig, handler)


@pytest.mark.anyio
async def test_patience_has_an_end(classifier: FakeClassifier) -> None:
    settings = make_settings(port=0, drain_delay_s=0.0, drain_timeout_s=0)
    app = make_app(settings, {"sentiment": classifier})
    sock = listen(settings.network, settings.connections)
    server = Server(app, service_of(app), sock)
    serving = asyncio.create_task(server.serve())
    await until(lambda: service_of(app).registry.ready)
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{sock.getsockname()[1]}") as client:
        classifier.gate.clear()
        held = asyncio.create_task(client.post("/predict", json={"inputs": "in flight"}))
        await until(classifier.entered.is_set)
        server.should_exit = True
        response = await asyncio.wait_for(held, 5)
        classifier.gate.set()
    await asyncio.wait_for(serving, 5)
    assert (response.status_code, response.json()["detail"]) == (503, "The server is shutting down.")


@pytest.mark.anyio
async def test_other_workers_learn_of_connections_that_are_open_and_not_of_refused_ones(
    classifier: FakeClassifier, tmp_path: Path
) -> None:
    settings = make_settings(port=0, drain_delay_s=0.0, max_connections=2)
    app, counts = make_app(settings, {"sentiment": classifier}), [AWAY, AWAY]
    sock = listen(settings.network, settings.connections)
    address = sock.getsockname()
    server = Server(app, service_of(app), sock, folder=SharedFolder(tmp_path, [0, 0], counts, 0))
    serving = asyncio.create_task(server.serve())
    await until(lambda: counts == [0, AWAY])
    opened = [await asyncio.open_connection(*address) for _ in range(3)]
    assert (await opened[2][0].readline()).startswith(b"HTTP/1.1 503")
    await until(lambda: counts == [2, AWAY])
    for _, writer in opened:
        writer.close()
    await until(lambda: counts == [0, AWAY])
    server.should_exit = True
    await asyncio.wait_for(serving, 5)
    assert counts == [AWAY, AWAY]

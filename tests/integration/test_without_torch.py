"""A server whose engine answers does without PyTorch, and where it is not installed a sentence says so."""

import os
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest

from app.config.sections import SHIPPED_CHECKPOINT
from model.checkpoint import read_config
from model.engine.cpu import unfit
from tests.app.process.test_server import ROOT, process, wait_ready

REASON = unfit(read_config(SHIPPED_CHECKPOINT).architecture)

HIDDEN = """
from importlib.machinery import PathFinder

find = PathFinder.find_spec
PathFinder.find_spec = lambda name, *more: None if name.partition(".")[0] == "torch" else find(name, *more)
"""
"""Module that Python imports at its start; with it, PyTorch is as good as not installed."""


@pytest.mark.skipif(REASON is not None, reason=f"no engine here: {REASON}")
def test_no_request_but_explain_brings_pytorch(tmp_path: Path) -> None:
    folders = (SHIPPED_CHECKPOINT, SHIPPED_CHECKPOINT.with_name("encoder"))
    models = [option for path in folders for option in ("--model", f"{path.name}={ROOT / path}")]
    with process(tmp_path / "log", *models, "--device", "cpu", "--watch-s", "0.2") as (server, url):
        wait_ready(url)
        texts = ["A good film.", "难看的电影", "😀"] * 50
        assert len(httpx2.post(f"{url}/predict", json={"inputs": texts}).json()["predictions"]) == 150
        for path in folders:
            assert len(httpx2.post(f"{url}/embed", json={"inputs": texts, "model": path.name}).json()) == 150
        assert httpx2.post(f"{url}/predict/stream", content=b'{"inputs": "Good."}\n').is_success
        for route in ("/models", "/health", "/health/ready", "/metrics", "/openapi.json", "/v2"):
            assert httpx2.get(url + route).is_success, route
        maps = Path(f"/proc/{server.pid}/maps").read_text()
    assert "numpy" in maps
    assert "torch" not in maps


def test_without_pytorch_a_sentence_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(HIDDEN)
    command = [sys.executable, "-m", "app", "serve", "--port=0", "--device=cuda"]
    environ = os.environ | {"PYTHONPATH": str(tmp_path)}
    run = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
    assert run.returncode == 2
    assert run.stderr == (
        "Error: PyTorch is not installed, and it has to compute here, since the device is to be cuda; install "
        "requirements/core.txt, or use the default image in place of the slim one\n"
    )

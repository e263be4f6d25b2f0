"""One real server process with the tiny checkpoint for all clients."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.app.process.test_server import ROOT, process, wait_ready

FETCHED = ROOT / "build" / "clients"
"""What `make clients` made: a virtual environment, and Node's packages."""


@pytest.fixture(scope="session")
def address(tiny_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Of a ready server; its model is called tiny."""
    log = tmp_path_factory.mktemp("clients") / "log"
    with process(log, "--model", f"tiny={tiny_checkpoint}", "--dtype", "float32") as (_, url):
        wait_ready(url)
        yield url

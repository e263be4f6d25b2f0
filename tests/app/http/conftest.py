"""One server process for the tests that send real requests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.app.conftest import made
from tests.app.process.test_server import process, wait_ready

HEADERS, KEY = made("ops", roles="predict,metrics,admin")
"""Of a key that may do everything."""

MAX_BODY_BYTES = 2_000_000


@pytest.fixture(scope="session")
def address(tiny_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Of a ready server with keys and `/admin`; its model is called tiny."""
    folder = tmp_path_factory.mktemp("http")
    (folder / "keys").write_text(f"{KEY}\n")
    options = ("--api-keys-file", str(folder / "keys"), "--admin", "--dtype", "float32")
    limits = ("--max-body-bytes", str(MAX_BODY_BYTES), "--max-chars", str(MAX_BODY_BYTES))
    with process(folder / "log", "--model", f"tiny={tiny_checkpoint}", *options, *limits) as (_, url):
        wait_ready(url)
        yield url

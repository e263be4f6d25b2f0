"""One Ray cluster for all tests of this folder."""

from collections.abc import Iterator
from typing import Any

import pytest

from benchmarks.lib.ray_cluster import ray_cluster


@pytest.fixture(scope="session")
def cluster() -> Iterator[Any]:
    """A head and two nodes, each of which may hold three workers; skips where Ray is not installed."""
    pytest.importorskip("ray", reason="Ray is not installed")
    with ray_cluster(2, 3) as found:
        yield found

"""The server on a Ray cluster of several nodes answers as the plain one; for faults see `benchmarks.ray.faults`."""

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from starlette.testclient import TestClient

from app.main import app_from_environment
from benchmarks.lib.ray_cluster import RayServer, ray_server
from benchmarks.lib.shipped import SHIPPED

pytestmark = pytest.mark.filterwarnings("ignore")  # of Ray's

TEXTS = [f"{'not ' * (number % 3)}a {'good' if number % 2 else 'boring'} film {number}" for number in range(12)]
BODIES = [{"inputs": [text]} for text in TEXTS]


@pytest.fixture(scope="module")
def server(cluster: Any) -> Iterator[RayServer]:
    with ray_server(cluster, SHIPPED, min_replicas=2, max_replicas=2) as found:
        yield found


@pytest.fixture(scope="module")
def expected() -> list[Any]:
    """The predictions of the plain application, for each body."""
    with pytest.MonkeyPatch.context() as environ:
        environ.setenv("SLUICE_MODEL", f"sentiment={SHIPPED}")
        environ.setenv("SLUICE_NO_EXPLAIN", "true")
        with TestClient(app_from_environment(load_first=True)) as client:
            return [client.post("/predict", json=body).json()["predictions"] for body in BODIES]


def test_answers_are_those_of_the_plain_server(server: RayServer, expected: list[Any]) -> None:
    answers = httpx2.post(f"{server.url}/predict", json={"inputs": TEXTS}).json()
    assert [[prediction] for prediction in answers["predictions"]] == expected
    assert httpx2.get(f"{server.url}/health/ready").json() == {"status": "ready", "models": {"sentiment": "running"}}
    refused = httpx2.post(f"{server.url}/predict", json={"inputs": 7})
    assert refused.status_code == 422
    assert refused.headers["content-type"] == "application/problem+json"

"""Ray Serve: a proxy process that takes requests, and a replica that computes those that wait as one batch.

PYTHON -m benchmarks.http.servers.ray_serve PORT THREADS CHECKPOINT
"""

import signal
import sys
import tempfile
from pathlib import Path

import ray
from ray import serve
from starlette.requests import Request

from benchmarks.lib.packed import PackedClassifier

MAX_REQUESTS = 32
"""In a batch: as many as there are connections."""

BATCH_TIMEOUT_S = 0.002

Predictions = list[dict[str, str | float]]


class PackedDeployment:
    """A replica that computes waiting requests as one batch."""

    def __init__(self, checkpoint: str, threads: int) -> None:
        self._classifier = PackedClassifier(Path(checkpoint), threads=threads)

    @serve.batch(max_batch_size=MAX_REQUESTS, batch_wait_timeout_s=BATCH_TIMEOUT_S)  # type: ignore[untyped-decorator]
    async def predict(self, requests: list[list[str]]) -> list[Predictions]:
        """Predictions by request, of the texts of all requests that wait."""
        rest = iter(self._classifier.predict([text for texts in requests for text in texts]))
        return [[next(rest) for _ in texts] for texts in requests]

    async def __call__(self, request: Request) -> dict[str, Predictions]:
        """Answers one request from its batch."""
        return {"predictions": await self.predict((await request.json())["inputs"])}


def main(port: int, threads: int, checkpoint: str) -> None:
    """Serves requests until SIGTERM."""
    with tempfile.TemporaryDirectory(prefix="ray-") as scratch:
        ray.init(include_dashboard=False, log_to_driver=False, configure_logging=False, _temp_dir=scratch)
        serve.start(http_options={"host": "127.0.0.1", "port": port, "access_log": False})
        deployment = serve.deployment(max_ongoing_requests=4 * MAX_REQUESTS)(PackedDeployment)
        serve.run(deployment.bind(checkpoint, threads), route_prefix="/predict")
        signal.sigwait({signal.SIGTERM, signal.SIGINT})
        serve.shutdown()
        ray.shutdown()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), str(Path(sys.argv[3]).resolve()))

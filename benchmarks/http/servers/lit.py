"""LitServe, which computes in a process of its own and puts requests that wait into one batch.

PYTHON -m benchmarks.http.servers.lit PORT THREADS CHECKPOINT
"""

import sys
from pathlib import Path
from typing import Any

import litserve

from benchmarks.lib.packed import PackedClassifier

MAX_REQUESTS = 32
"""In a batch: as many as there are connections, so that one batch takes all that wait."""

BATCH_TIMEOUT_S = 0.002

Predictions = list[dict[str, str | float]]


class PackedApi(litserve.LitAPI):  # type: ignore[misc] # not installed where types are checked
    """A batch is the texts of several requests."""

    def __init__(self, checkpoint: Path, threads: int) -> None:
        super().__init__(api_path="/predict", max_batch_size=MAX_REQUESTS, batch_timeout=BATCH_TIMEOUT_S)
        self._checkpoint, self._threads = checkpoint, threads

    def setup(self, device: str) -> None:
        """Loads the weights, in the process that computes."""
        self._classifier = PackedClassifier(self._checkpoint, threads=self._threads)

    def decode_request(self, request: dict[str, Any]) -> list[str]:
        """The texts of one request."""
        inputs: list[str] = request["inputs"]
        return inputs

    def batch(self, inputs: list[list[str]]) -> list[list[str]]:
        """The texts stay with their requests."""
        return inputs

    def predict(self, x: list[list[str]], **kwargs: Any) -> list[Predictions]:
        """All texts at once; predictions by request."""
        rest = iter(self._classifier.predict([text for texts in x for text in texts]))
        return [[next(rest) for _ in texts] for texts in x]

    def unbatch(self, output: list[Predictions]) -> list[Predictions]:
        """Passes requests on as they are."""
        return output

    def encode_response(self, output: Predictions, **kwargs: Any) -> dict[str, Predictions]:
        """Renders the answer to one request."""
        return {"predictions": output}


if __name__ == "__main__":
    port, threads, checkpoint = sys.argv[1:]
    server = litserve.LitServer(PackedApi(Path(checkpoint), int(threads)), accelerator="cpu", workers_per_device=1)
    server.run(host="127.0.0.1", port=int(port), generate_client_file=False, log_level="warning", access_log=False)

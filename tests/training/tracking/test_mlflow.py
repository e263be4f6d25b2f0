"""Runs of MLflow in a folder, and a server that goes away."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

pytest.importorskip("mlflow")

from training.errors import UsageError
from training.tracking.mlflow import LONGEST_VALUE, MlflowLog
from training.tracking.run_log import open_logs


def test_settings_figures_and_state_are_in_the_folder(tmp_path: Path) -> None:
    place = str(tmp_path / "runs")
    for finished in (True, False):
        log = MlflowLog(place, "reviews")
        log.begin({f"key.{number}": number for number in range(150)} | {"long": "x" * 7000})
        log.step(1, {"loss": 0.9, "validation/f1(a)": 0.5})
        log.step(2, {"loss": 0.8})
        log.end({"final/test/accuracy": 0.75} if finished else None)

    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=place)
    experiment = client.get_experiment_by_name("sluice")
    assert experiment is not None
    killed, whole = sorted(client.search_runs([experiment.experiment_id]), key=lambda run: len(run.data.metrics))
    assert (killed.info.status, whole.info.status) == ("KILLED", "FINISHED")
    assert whole.info.run_name == "reviews"
    assert len(whole.data.params) == 151
    assert len(whole.data.params["long"]) == LONGEST_VALUE
    assert whole.data.metrics == {"loss": 0.8, "validation/f1_a_": 0.5, "final/test/accuracy": 0.75}
    history = client.get_metric_history(whole.info.run_id, "loss")
    assert [(point.step, point.value) for point in history] == [(1, 0.9), (2, 0.8)]


def test_a_deleted_experiment_is_told_before_the_run_begins(tmp_path: Path) -> None:
    from mlflow import MlflowClient

    MlflowLog(str(tmp_path), "reviews")
    client = MlflowClient(tracking_uri=str(tmp_path))
    experiment = client.get_experiment_by_name("sluice")
    assert experiment is not None
    client.delete_experiment(experiment.experiment_id)
    with pytest.raises(UsageError, match="the experiment sluice was deleted there; restore it"):
        MlflowLog(str(tmp_path), "reviews")


class Server(BaseHTTPRequestHandler):
    """The calls of MLflow's REST interface that a log makes; metrics of step 2 are answered with an error."""

    calls: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self._answer({"experiment": {"experiment_id": "7", "name": "sluice"}})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.calls.append(self.path.rpartition("/api/2.0/mlflow/")[2])
        fails = any(metric["step"] == 2 for metric in body.get("metrics", ()))
        self._answer({"run": {"info": {"run_id": "r", "status": "RUNNING"}, "data": {}}}, 400 if fails else 200)

    def _answer(self, body: object, status: int = 200) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


def test_a_server_that_fails_costs_one_warning() -> None:
    warnings: list[str] = []
    with HTTPServer(("127.0.0.1", 0), Server) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        spec = f"mlflow:http://127.0.0.1:{server.server_port}"
        with open_logs([spec], "reviews", warnings.append) as logs:
            logs.begin({"seed": 1})
            for step in (1, 2, 3):
                logs.step(step, {"loss": 0.5})
            logs.end({"final/seconds": 1.0})
        server.shutdown()
        thread.join()
    assert Server.calls == ["runs/create", "runs/log-batch", "runs/log-batch", "runs/log-batch"]
    assert len(warnings) == 1
    assert warnings[0].startswith(f"warning: --log {spec}: ")

"""The log of a run in MLflow: at a server, or in a folder."""

import os
import re
import time
from collections.abc import Mapping
from importlib.util import find_spec

from training.errors import UsageError

EXPERIMENT = "sluice"
"""Name of the experiment, where `MLFLOW_EXPERIMENT_NAME` gives no other."""

DEFAULTS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",  # nothing leaves the machine but for the server that was asked for
    "MLFLOW_ALLOW_FILE_STORE": "true",  # else a folder is refused; MLflow advises a database to those who run a server
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",  # a server that is gone holds the training up for half a minute, and once
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
}
"""Variables of MLflow, where they are not set."""

PARAMETERS_AT_ONCE = 100
LONGEST_VALUE = 6000
"""Limits of MLflow for a call, and for a parameter's characters."""


class MlflowLog:
    """Writes settings as parameters and figures as metrics of a run of MLflow.

    A run that is resumed is a new one there, with all readings from the first; the interrupted one stays as KILLED.

    Args:
        place: a folder, or the URI of a tracking server.
        run_name: of the run.

    Raises:
        UsageError: the place is a database, and only the part of MLflow without databases is installed; or the
            experiment was deleted there.
        MlflowException: the place cannot be used.
    """

    def __init__(self, place: str, run_name: str) -> None:
        if _is_database(place) and find_spec("sqlalchemy") is None:
            raise UsageError(
                f"--log mlflow:{place}: a database needs all of MLflow (pip install mlflow); "
                "a folder, or the address of a server, does not"
            )
        for name, value in DEFAULTS.items():
            os.environ.setdefault(name, value)
        from mlflow import MlflowClient  # it reads the variables as it is imported

        self._client, self._run_name = MlflowClient(tracking_uri=place), run_name
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME", EXPERIMENT)
        found = self._client.get_experiment_by_name(name)
        if found is not None and found.lifecycle_stage == "deleted":
            raise UsageError(
                f"--log mlflow:{place}: the experiment {name} was deleted there; restore it (mlflow experiments "
                f"restore --experiment-id {found.experiment_id}), or set MLFLOW_EXPERIMENT_NAME to another name"
            )
        self._experiment = found.experiment_id if found else self._client.create_experiment(name)

    def begin(self, settings: Mapping[str, object]) -> None:
        """Creates the run, with the settings as its parameters."""
        from mlflow.entities import Param

        self._last = 0
        self._run = self._client.create_run(self._experiment, run_name=self._run_name).info.run_id
        parameters = [Param(key, str(value)[:LONGEST_VALUE]) for key, value in settings.items()]
        for first in range(0, len(parameters), PARAMETERS_AT_ONCE):
            self._client.log_batch(self._run, params=parameters[first : first + PARAMETERS_AT_ONCE])

    def step(self, step: int, figures: Mapping[str, float]) -> None:
        """Writes the figures as metrics at this step."""
        from mlflow.entities import Metric

        self._last, now_ms = step, time.time_ns() // 1_000_000
        metrics = [Metric(_allowed(name), value, now_ms, step) for name, value in figures.items()]
        self._client.log_batch(self._run, metrics=metrics)

    def end(self, figures: Mapping[str, float] | None) -> None:
        """Writes the figures at the last step, and that the run is FINISHED, or KILLED without them."""
        if figures is not None:
            self.step(self._last, figures)
        self._client.set_terminated(self._run, "KILLED" if figures is None else "FINISHED")


def _is_database(place: str) -> bool:
    """True for the URI of a database.

    >>> _is_database("sqlite:///runs.db"), _is_database("http://host:5000"), _is_database("runs")
    (True, False, False)
    """
    return re.match(r"(sqlite|postgresql|mysql|mssql)(\+\w+)?:", place) is not None


def _allowed(name: str) -> str:
    """The name with `_` for each character that MLflow refuses.

    >>> _allowed("final/test(a)/accuracy")
    'final/test_a_/accuracy'
    """
    return re.sub(r"[^\w\-. :/]", "_", name)

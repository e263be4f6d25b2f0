"""What `--log` accepts, and logs that fail."""

import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from training.errors import UsageError
from training.tracking.run_log import RunLogs, open_logs


class Kept:
    """A log in memory, which fails from a step on."""

    def __init__(self, fails_at: int = 1000) -> None:
        self.said: list[object] = []
        self._fails_at = fails_at

    def begin(self, settings: Mapping[str, object]) -> None:
        self.said.append(dict(settings))

    def step(self, step: int, figures: Mapping[str, float]) -> None:
        if step >= self._fails_at:
            raise ConnectionError("connection refused.\nHTTPConnectionPool(…)")
        self.said.append((step, dict(figures)))

    def end(self, figures: Mapping[str, float] | None) -> None:
        self.said.append(figures)


def test_a_log_that_fails_is_told_of_once_and_the_others_go_on() -> None:
    whole, broken, warnings = Kept(), Kept(fails_at=2), list[str]()
    logs = RunLogs({"a:b": whole, "c:d": broken}, warnings.append)
    logs.begin({"seed": 1})
    for step in (1, 2, 3):
        logs.step(step, {"loss": 0.5})
    logs.end({"final/seconds": 2.0})
    logs.end(None)
    figures = {"loss": 0.5}
    assert whole.said == [{"seed": 1}, (1, figures), (2, figures), (3, figures), {"final/seconds": 2.0}]
    assert broken.said == [{"seed": 1}, (1, figures)]
    assert warnings == [
        "warning: --log c:d: connection refused; the run goes on, and is no longer logged there",
    ]


def test_a_log_that_never_began_does_not_end() -> None:
    log = Kept()
    RunLogs({"a:b": log}).end(None)
    assert not log.said


@pytest.mark.parametrize("spec", ["wandb:here", "tensorboard", "tensorboard:", "mlflow:", "runs", ""])
def test_an_unknown_kind_is_refused(spec: str) -> None:
    with (
        pytest.raises(UsageError, match=f"--log {spec}: give tensorboard:FOLDER, or mlflow:"),
        open_logs([spec], "", print),
    ):
        pass


@pytest.mark.parametrize(("kind", "package"), [("tensorboard", "tensorboard"), ("mlflow", "mlflow-skinny")])
def test_a_library_that_is_missing_is_named(
    kind: str, package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("training.tracking.tensorboard", "torch.utils.tensorboard"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    monkeypatch.setitem(sys.modules, kind, None)
    said = rf"{kind} is not installed \(pip install {package}\)"
    with pytest.raises(UsageError, match=said), open_logs([f"{kind}:{tmp_path}"], "run", print):
        pass


def test_a_place_that_cannot_be_used_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    for spec in (f"tensorboard:{tmp_path}/file", "mlflow:http://127.0.0.1:1", "mlflow:sqlite:///runs.db"):
        with pytest.raises(UsageError, match=f"--log {spec}: ") as raised, open_logs([spec], "run", print):
            pass
        assert "\n" not in str(raised.value)

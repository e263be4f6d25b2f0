"""Several processes under `torchrun`, and logs, as a user asks for them."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from model.checkpoint import load_checkpoint
from tests.training.cli.commands import ROOT, call, metrics_of
from tests.training.conftest import TINY
from training.__main__ import main
from training.artifacts.run_folder import RunFolder

TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "-m", "--"]
IN_FLOAT32 = [*TORCHRUN, "tests.training.cli.in_float32"]
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1", "CUDA_VISIBLE_DEVICES": ""}


@pytest.fixture(scope="module")
def options(reviews: Path) -> list[str]:
    """Options of a training without dropout, so that it does not matter which process draws."""
    settings = ["dropouts.pooled=0", "dropouts.embedding=0", "ngrams.buckets=0", "loop.epochs=8"]
    options = ["--train", str(reviews / "train.csv"), "--device", "cpu", *TINY, "--set", "loop.learning_rate=0.005"]
    return options + [word for setting in settings for word in ("--set", setting)]


def test_two_processes_stopped_by_ctrl_c_and_resumed_by_one_train_what_one_does(
    options: list[str], tmp_path: Path
) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    with subprocess.Popen(
        [*IN_FLOAT32, "train", *options, "--output", str(two)],
        cwd=ROOT, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        for line in process.stdout:
            if "validation accuracy" in line:
                break
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    words = f"stopped; to go on: torchrun --nproc-per-node 2 -m -- training train --output {two} --resume --device cpu"
    assert errors.count(words) == 1, errors
    assert process.returncode
    assert RunFolder(two).has_state
    assert not two.exists()

    in_float32, resume = {"dtype": torch.float32}, ["train", "--output", str(two), "--resume", "--device", "cpu"]
    resumed = CliRunner().invoke(main, resume, obj=in_float32)
    assert resumed.exit_code == 0, resumed.output
    assert resumed.output.count("resumed after") == resumed.output.count(f"wrote {two}") == 1
    assert not RunFolder(two).path.exists()

    arguments = ["train", *options, "--output", str(one)]
    assert CliRunner().invoke(main, arguments, obj=in_float32).exit_code == 0
    histories = [metrics_of(checkpoint)["effort"]["history"] for checkpoint in (one, two)]
    for key in ("step", "loss", "validation"):
        alone, together = ([reading[key] for reading in history] for history in histories)
        np.testing.assert_allclose(together, alone, atol=1e-4)
    expected, actual = load_checkpoint(one), load_checkpoint(two)
    for name, weight in expected.weights.items():
        torch.testing.assert_close(actual.weights[name], weight, atol=1e-3, rtol=0)
    assert actual.metrics["command"].startswith("torchrun --nproc-per-node 2 -m -- training train --train train.csv ")


def test_a_run_that_is_interrupted_and_resumed_is_whole_in_its_logs(reviews: Path, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    pytest.importorskip("mlflow")
    from mlflow import MlflowClient
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    curves, runs, output = tmp_path / "curves", tmp_path / "runs", tmp_path / "reviews"
    logs = ["--log", f"tensorboard:{curves}", "--log", f"mlflow:{runs}"]
    data = ["--train", reviews / "train.csv", "--test", reviews / "test.csv", *TINY]
    stopped = call("train", *data, "--output", output, *logs, stop_after=12)
    assert f"--output {output} --resume --log tensorboard:{curves} --log mlflow:{runs}\n" in stopped.output
    resumed = call("train", "--output", output, "--resume", *logs)
    assert resumed.exit_code == 0, resumed.output

    metrics = metrics_of(output)
    history, accuracy = metrics["effort"]["history"], metrics["evaluations"]["test"]["scores"]["accuracy"]
    read = EventAccumulator(str(curves / "reviews")).Reload()
    for name, key in (("validation/accuracy", "validation"), ("loss", "loss"), ("learning_rate", "learning_rate")):
        points = [(point.step, point.value) for point in read.Scalars(name)]
        assert [step for step, _ in points] == [reading["step"] for reading in history]
        assert [value for _, value in points] == pytest.approx([reading[key] for reading in history])
    assert [point.value for point in read.Scalars("final/test/accuracy")] == pytest.approx([accuracy])

    client = MlflowClient(tracking_uri=str(runs))
    experiment = client.get_experiment_by_name("sluice")
    assert experiment is not None
    whole, killed = sorted(client.search_runs([experiment.experiment_id]), key=lambda run: run.info.status)
    assert (whole.info.status, killed.info.status) == ("FINISHED", "KILLED")
    assert whole.data.metrics["final/test/accuracy"] == accuracy
    assert whole.data.params["loop.epochs"] == "5"
    assert len(client.get_metric_history(whole.info.run_id, "validation/accuracy")) == len(history)


def test_a_log_of_an_unknown_kind_is_a_wrong_call(reviews: Path, tmp_path: Path) -> None:
    result = call("train", "--train", reviews / "train.csv", "--output", tmp_path / "m", "--log", "wandb:x")
    assert (result.exit_code, "--log wandb:x: give tensorboard:FOLDER" in result.output) == (2, True)
    assert not RunFolder(tmp_path / "m").path.exists()

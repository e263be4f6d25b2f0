"""`torchrun`, as a user calls it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from rich.console import Console

from model.checkpoint import load_checkpoint
from model.device import fastest_dtype
from tests.training.conftest import TINY
from tests.training.test_main import ROOT, call, metrics_of
from training.__main__ import main
from training.artifacts.run_folder import RunFolder
from training.cli.runs import _follow
from training.config.request import CallOptions, new_request
from training.errors import RunError, UsageError
from training.fit.parallel import Processes
from training.launch import Launch
from training.runs.train import train

STARTED = {"TORCHELASTIC_RUN_ID": "none", "RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "2"}
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "-m", "training"]
CLOSE = 1e-4 if fastest_dtype(torch.device("cpu")) == torch.float32 else 5e-2
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1", "CUDA_VISIBLE_DEVICES": ""}


@pytest.fixture(scope="module")
def options(reviews: Path) -> list[str]:
    """Of a training without dropout, so that it does not matter which process draws."""
    settings = ["dropouts.pooled=0", "dropouts.embedding=0", "ngrams.buckets=0", "loop.epochs=20"]
    options = ["--train", str(reviews / "train.csv"), "--device", "cpu", *TINY, "--set", "loop.learning_rate=0.005"]
    return options + [word for setting in settings for word in ("--set", setting)]


def test_two_processes_stopped_by_ctrl_c_and_resumed_train_what_one_does(options: list[str], tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    with subprocess.Popen(
        [*TORCHRUN, "train", *options, "--output", str(two)],
        cwd=ROOT, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        for line in process.stdout:
            if "validation accuracy" in line:
                break
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    words = f"stopped; to go on: torchrun --nproc-per-node 2 -m training train --output {two} --resume --device cpu"
    assert errors.count(words) == 1, errors
    assert process.returncode
    assert RunFolder(two).has_state
    assert not two.exists()

    resume = [*TORCHRUN, "train", "--output", str(two), "--resume", "--device", "cpu"]
    resumed = subprocess.run(resume, cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, timeout=200)
    assert resumed.returncode == 0, resumed.stderr
    assert resumed.stdout.count("resumed after") == resumed.stdout.count(f"wrote {two}") == 1
    assert not RunFolder(two).path.exists()

    assert call("train", *options, "--output", one).exit_code == 0
    histories = [metrics_of(checkpoint)["effort"]["history"] for checkpoint in (one, two)]
    for key in ("step", "loss", "validation"):
        alone, together = ([reading[key] for reading in history] for history in histories)
        np.testing.assert_allclose(together, alone, atol=CLOSE)
    expected, actual = load_checkpoint(one), load_checkpoint(two)
    for name, weight in expected.weights.items():
        torch.testing.assert_close(actual.weights[name], weight, atol=10 * CLOSE, rtol=0)
    assert actual.metrics["command"].startswith("torchrun --nproc-per-node 2 -m training train --train train.csv ")


def test_terms_of_a_whole_step_are_refused(reviews: Path, tmp_path: Path) -> None:
    call_options = CallOptions(
        output=tmp_path / "m", data_root=reviews, train_file=reviews / "train.csv", settings=("semi.entropy=1",)
    )
    two, console = Processes(0, 2), Console(quiet=True)
    with pytest.raises(UsageError, match="the terms of semi are of a whole step"):
        train(new_request(call_options), tmp_path / "m", resume=False, device="cpu", console=console, processes=two)
    assert not RunFolder(tmp_path / "m").exists


def test_the_others_leave_in_silence_where_the_first_gives_up(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    met = []

    class Abandoned(Processes):
        def meet(self) -> None:
            met.append(self.rank)
            raise RunError("the first is gone")

    def never(*_: object, **__: object) -> None:
        pytest.fail("there is no run to take up")

    _follow(never, RunFolder(tmp_path / "m"), tmp_path / "m", "cpu", Abandoned(1, 2))
    assert met == [1]
    assert capfd.readouterr() == ("", "")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["compare", "tune", "pretrain", "teach", "evaluate"])
def test_other_commands_are_for_one_process(command: str) -> None:
    first = CliRunner().invoke(main, [command, "--help"], env=STARTED)
    assert (first.exit_code, f"{command} runs without it" in first.output) == (2, True)
    second = CliRunner().invoke(main, [command, "--help"], env=STARTED | {"RANK": "1"})
    assert (second.exit_code, second.output) == (0, "")


def test_each_process_takes_a_cuda_device_of_its_own() -> None:
    second = Launch.from_env(STARTED | {"RANK": "5", "LOCAL_RANK": "1", "WORLD_SIZE": "8"})
    assert second == Launch(rank=5, local_rank=1, count=8)
    assert [second.device(name, num_cuda=4) for name in ("auto", "cuda", "cpu")] == ["cuda:1", "cuda:1", "cpu"]
    assert second.device("auto", num_cuda=0) == "auto"
    assert Launch().device("cuda:3", num_cuda=4) == "cuda:3"
    with pytest.raises(UsageError, match="under torchrun each process takes a device of its own"):
        second.device("cuda:0", num_cuda=4)
    with pytest.raises(UsageError, match=r"more processes than this machine's 1 CUDA device"):
        second.device("auto", num_cuda=1)

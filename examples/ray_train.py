"""Trains on a Ray cluster: Ray Train starts the processes that `torchrun` starts elsewhere; the training is the same.

`python -m examples.ray_train --workers 2 -- train --train reviews.csv --output runs/reviews` (or `distill`) on the
cluster of RAY_ADDRESS, or of this machine. Every node must reach the files, and this folder, under the same names. When
a worker is lost all begin again from the last saved state, at most --max-failures times: each process is started with
--resume. Needs Ray, which `make setup` installs.
"""

import os
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click


def environment(environ: Mapping[str, str], port: int) -> dict[str, str]:
    """Variables of a process of training, from those that Ray Train set and a free port of the first worker.

    Ray Train sets `RANK`, `LOCAL_RANK`, `WORLD_SIZE` and `MASTER_ADDR` as `torchrun` does; a name of the run is what
    training knows `torchrun` by. The port that Ray Train chose belongs to a group of its own workers.
    """
    return {**environ, "TORCHELASTIC_RUN_ID": "ray", "MASTER_PORT": str(port)}


def work(config: Mapping[str, Any]) -> None:
    """Runs one of the processes, within a worker of Ray Train.

    Args:
        config: `arguments` of `python -m training`, and the `folder` to run it in.

    Raises:
        RuntimeError: the process failed, and with it this worker.
    """
    import torch.distributed as dist

    with socket.socket() as free:
        free.bind(("", 0))
        ports = [free.getsockname()[1]]
    dist.broadcast_object_list(ports)
    # In a process of its own, whose main thread can handle a signal to stop: Ray calls this in another thread.
    command = [sys.executable, "-m", "training", *config["arguments"], "--resume"]
    ended = subprocess.run(command, cwd=config["folder"], env=environment(os.environ, ports[0]))  # noqa: S603
    if ended.returncode:
        raise RuntimeError(f"training ended with exit code {ended.returncode}; its words are in the worker's log")


@click.command(help=__doc__)
@click.option("--workers", default=2, show_default=True)
@click.option("--gpu", is_flag=True, help="Each worker takes a GPU.")
@click.option("--max-failures", default=3, show_default=True)
@click.option("--storage", metavar="FOLDER", help="Ray Train's own files.  [default: ~/ray_results]")
@click.argument("arguments", nargs=-1, required=True)
def main(workers: int, gpu: bool, max_failures: int, storage: str | None, arguments: Sequence[str]) -> None:
    """Starts the workers and waits for them."""
    from ray.train import FailureConfig, RunConfig, ScalingConfig
    from ray.train.torch import TorchConfig, TorchTrainer

    TorchTrainer(
        work,
        train_loop_config={"arguments": list(arguments), "folder": str(Path.cwd())},
        torch_config=TorchConfig(backend="gloo"),  # for the port alone; training makes its own group
        scaling_config=ScalingConfig(num_workers=workers, use_gpu=gpu),
        run_config=RunConfig(storage_path=storage, failure_config=FailureConfig(max_failures=max_failures)),
    ).fit()


if __name__ == "__main__":
    main()

"""Asks a Ray cluster without a pause while a node dies, another checkpoint takes over and replicas come and go.

    python -m benchmarks.ray.faults [--clients 8] [--request-texts 64] [--kills 5] [--kills-only]

Two replicas run on a cluster of two nodes and a head. Clients are connected to the head's proxy, which always lives, so
none of what they lose is a connection that its own machine took along and no server can answer. In turn: all processes
of a node with a replica are killed at once, on several clusters; another checkpoint, with the same weights under
another version, is deployed, and one that cannot be loaded; the number of replicas follows the texts under way up to
three and down again. Fails if an answer is wrong or takes longer than the server's deadline of 10 s, if a request has
no answer when the node dies (500, 502, 503 and 504 are answers), or if one of the other changes costs a request.
"""

import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import click
import httpx
from rich.console import Console

from benchmarks.lib.asking import Asked, asking
from benchmarks.lib.ray_cluster import RayServer, configuration, ray_cluster, ray_server, wait_until
from benchmarks.lib.server import running_server
from benchmarks.lib.shipped import SHIPPED
from model.checkpoint import replace_card
from training.provenance import describe_machine

DEADLINE_S = 10.0
TWO = {"min_replicas": 2, "max_replicas": 2}
AFTER = 50
"""Answers that are waited for after a change."""

console = Console(highlight=False, soft_wrap=True)


@dataclass(frozen=True, slots=True)
class Scene:
    """The server, and clients that ask it."""

    server: RayServer
    ask: Callable[[], AbstractContextManager[Asked]]


def alone(bodies: Sequence[Any]) -> list[Any]:
    """The predictions of a plain server for each body."""
    with running_server("--no-explain") as server:
        return [httpx.post(f"{server.url}/predict", json=body).json()["predictions"] for body in bodies]


def faults(asked: Asked, allowed: set[int]) -> list[str]:
    """Reasons why what was seen is not as it must be."""
    reasons = []
    if asked.wrong:
        reasons.append(f"{asked.wrong} answers were wrong")
    if others := set(asked.statuses) - allowed:
        reasons.append(f"statuses {sorted(others)} {dict(asked.errors)}")
    if max(asked.waits_s) > DEADLINE_S:
        reasons.append(f"an answer took {max(asked.waits_s):.1f} s")
    if set(asked.statuses[-AFTER:]) != {200}:
        reasons.append("it did not recover")
    return reasons


def node_killed(scene: Scene) -> list[str]:
    """Kills a node, and waits until the other one has two replicas."""
    server = scene.server
    with scene.ask() as asked:
        began = time.monotonic()
        server.kill_node()
        wait_until(lambda: server.replicas() < 2)
        noticed_s = time.monotonic() - began
        wait_until(lambda: server.is_running() and server.replicas() == 2)
        console.print(f"  noticed after {noticed_s:.1f} s, replaced after {time.monotonic() - began:.1f} s")
        _wait_for_more(asked)
    console.print(f"  {asked}")
    return faults(asked, {200, 500, 502, 503, 504})


def other_checkpoint(scene: Scene) -> list[str]:
    """Deploys another version, and then one that is not there."""
    server = scene.server
    with tempfile.TemporaryDirectory() as scratch, scene.ask() as asked:
        other = shutil.copytree(SHIPPED, Path(scratch) / "other")
        version = replace_card(other, "# The same weights under another version\n")
        began = time.monotonic()
        server.deploy(configuration(server.port, other, **TWO))
        wait_until(lambda: set(asked.versions[-AFTER:]) == {version} and server.is_running())
        console.print(f"  all replicas have the new version after {time.monotonic() - began:.1f} s")
        server.deploy(configuration(server.port, Path(scratch) / "missing", **TWO))
        wait_until(lambda: server.status() == "DEPLOY_FAILED")
        _wait_for_more(asked)
    console.print(f"  {asked}")
    kept = set(asked.versions[-AFTER:]) == {version}
    return faults(asked, {200}) + ([] if kept else ["a checkpoint that is not there took over"])


def replicas_follow(scene: Scene) -> list[str]:
    """Lets the load add a replica, and its end remove it."""
    server = scene.server
    pace = {"upscale_delay_s": 0, "downscale_delay_s": 0, "look_back_period_s": 3, "metrics_interval_s": 1}
    wanted = configuration(server.port, SHIPPED, min_replicas=2, max_replicas=3, **pace)
    (deployment,) = wanted["applications"][0]["deployments"]
    deployment["autoscaling_config"]["policy"]["policy_kwargs"] = {"target": 1}
    server.deploy(wanted)
    wait_until(server.is_running)
    began = time.monotonic()
    with scene.ask() as asked:
        wait_until(lambda: server.replicas() == 3)
        _wait_for_more(asked)
    up_s, began = time.monotonic() - began, time.monotonic()
    wait_until(lambda: server.replicas() == 2)
    console.print(f"  a third replica after {up_s:.1f} s of load, gone {time.monotonic() - began:.1f} s after its end")
    console.print(f"  {asked}")
    return faults(asked, {200})


def _wait_for_more(asked: Asked) -> None:
    before = len(asked.statuses)
    wait_until(lambda: len(asked.statuses) > before + 2 * AFTER)


@click.command(help=__doc__)
@click.option("--clients", default=8, show_default=True)
@click.option("--request-texts", default=64, show_default=True)
@click.option("--kills", default=5, show_default=True, help="Nodes that are killed, one after another.")
@click.option("--kills-only", is_flag=True, help="Make none of the other changes.")
def main(clients: int, request_texts: int, kills: int, *, kills_only: bool) -> None:
    """Prints what the clients saw of each change."""
    console.print(describe_machine())
    bodies = [
        {"inputs": [f"a {'good' if row % 3 else 'boring'} film {number} {row}" for row in range(request_texts)]}
        for number in range(8)
    ]
    expected, reasons = alone(bodies), list[str]()
    others = [] if kills_only else [[other_checkpoint, replicas_follow]]
    for changes in [[node_killed]] * kills + others:
        with ray_cluster(2, 3) as cluster, ray_server(cluster, SHIPPED, **TWO) as server:
            scene = Scene(server, partial(asking, server.url, bodies, expected, clients=clients))
            reasons += [reason for change in changes for reason in _failures(change, scene)]
    sys.exit(bool(reasons))


def _failures(change: Callable[[Scene], list[str]], scene: Scene) -> list[str]:
    """Makes a change, and prints what was not as it must be."""
    console.print(change.__name__.replace("_", " "))
    reasons = change(scene)
    for reason in reasons:
        console.print(f"  FAILED: {reason}")
    return reasons


if __name__ == "__main__":
    main()

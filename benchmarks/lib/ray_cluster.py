"""A Ray cluster of several nodes on this machine, and the server on it by `deploy/ray/serve.yaml`."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import yaml

from benchmarks.lib.server import free_port

ROOT = Path(__file__).parents[2]
CONFIGURATION = ROOT / "deploy" / "ray" / "serve.yaml"
SERVICE = ROOT / "deploy" / "ray" / "rayservice.yaml"


def deployed_variables() -> dict[str, str]:
    """Variables of Ray that `deploy/ray` gives to every node."""
    spec = yaml.safe_load(SERVICE.read_text("utf-8"))["spec"]["rayClusterConfig"]["headGroupSpec"]["template"]["spec"]
    given = {variable["name"]: variable["value"] for variable in spec["containers"][0]["env"]}
    return {name: value for name, value in given.items() if name.startswith("RAY_")}


VARIABLES = deployed_variables() | {
    # Not in the user's home, and nobody is told.
    "RAY_AUTH_MODE": "disabled",
    "RAY_USAGE_STATS_ENABLED": "0",
    # A dead node is noticed within 3 s, not 30; replicas report their queues and leave sooner.
    "RAY_health_check_period_ms": "1000",
    "RAY_health_check_failure_threshold": "3",
    "RAY_SERVE_REPLICA_AUTOSCALING_METRIC_PUSH_INTERVAL_S": "0.5",
    "RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S": "2",
    # Workers that nobody has asked for would each cost a second or two of the processors.
    "RAY_prestart_worker_first_driver": "0",
    # A busy machine needs longer to start a proxy than Ray waits.
    "RAY_SERVE_PROXY_READY_CHECK_TIMEOUT_S": "60",
    # Workers import the packages of this checkout.
    "PYTHONPATH": str(ROOT),
}
"""Variables of every node."""

START_TIMEOUT_S = 300.0


@dataclass(frozen=True, slots=True)
class RayServer:
    """The server on a cluster.

    Attributes:
        cluster: `ray.cluster_utils.Cluster`; its head has a proxy and no replicas.
        port: of the proxy.
    """

    cluster: Any
    port: int

    @property
    def url(self) -> str:
        """Address of the proxy, without a slash at the end."""
        return f"http://127.0.0.1:{self.port}"

    def deploy(self, configuration: dict[str, Any]) -> None:
        """Applies a configuration, as `serve deploy` does; returns at once."""
        from ray.serve.context import _get_global_client
        from ray.serve.schema import ServeDeploySchema

        _get_global_client().deploy_apps(ServeDeploySchema.model_validate(configuration), _blocking=False)

    def replicas(self) -> int:
        """Replicas that run, of the version that was deployed last or of others."""
        from ray import serve

        applications = serve.status().applications
        states = [deployment.replica_states for app in applications.values() for deployment in app.deployments.values()]
        return sum(state.get("RUNNING", 0) for state in states)

    def kill_node(self) -> None:
        """Kills a node that has a replica, all its processes at once."""
        from ray.serve.context import _get_global_client

        (deployment,) = _get_global_client().get_serve_details()["applications"]["sluice"]["deployments"].values()
        places = {replica["node_id"] for replica in deployment["replicas"]}
        victim = next(node for node in self.cluster.list_all_nodes() if node.node_id in places)
        self.cluster.remove_node(victim, allow_graceful=False)

    def status(self) -> str:
        """Status of the application, such as RUNNING, DEPLOYING or DEPLOY_FAILED."""
        from ray import serve

        found = serve.status().applications.get("sluice")
        return "" if found is None else str(found.status.value)

    def is_running(self) -> bool:
        """True once what was deployed last runs, and nothing that it replaced."""
        from ray import serve

        found = serve.status().applications.get("sluice")
        if found is None or found.status != "RUNNING":
            return False
        return all(set(deployment.replica_states) == {"RUNNING"} for deployment in found.deployments.values())


def configuration(port: int, checkpoint: Path, **autoscaling: Any) -> dict[str, Any]:
    """The configuration of `deploy/ray` for this machine.

    Args:
        port: of the proxy, on the head alone: nodes of one machine cannot have one each.
        checkpoint: to serve.
        autoscaling: replaces fields of `autoscaling_config`.
    """
    found: dict[str, Any] = yaml.safe_load(CONFIGURATION.read_text("utf-8"))
    found |= {"proxy_location": "HeadOnly", "http_options": {"host": "0.0.0.0", "port": port}}  # noqa: S104
    (deployment,) = found["applications"][0]["deployments"]
    variables = deployment["ray_actor_options"]["runtime_env"]["env_vars"]
    variables |= {"SLUICE_MODEL": f"sentiment={checkpoint.resolve()}", "SLUICE_NO_EXPLAIN": "true"}
    deployment["autoscaling_config"] |= autoscaling
    return found


@contextmanager
def ray_cluster(nodes: int, cpus: int = 1) -> Iterator[Any]:
    """A cluster whose head computes nothing.

    Args:
        nodes: besides the head.
        cpus: of each of them, as Ray counts.

    Yields:
        The `ray.cluster_utils.Cluster`, to which this process is connected.
    """
    with patch.dict(os.environ, VARIABLES):
        import ray
        from ray.cluster_utils import Cluster

        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
        try:
            for _ in range(nodes):
                cluster.add_node(num_cpus=cpus)
            ray.init(address=cluster.address, log_to_driver=False, configure_logging=False)
            yield cluster
        finally:
            ray.shutdown()
            cluster.shutdown()


@contextmanager
def ray_server(cluster: Any, checkpoint: Path, **autoscaling: Any) -> Iterator[RayServer]:
    """The server on a cluster of `ray_cluster`, ready; for `autoscaling` see `configuration`.

    Raises:
        TimeoutError: it did not become ready.
    """
    from ray import serve
    from ray.serve.config import HTTPOptions, ProxyLocation

    port = free_port()
    serve.start(
        proxy_location=ProxyLocation.HeadOnly,
        http_options=HTTPOptions(host="0.0.0.0", port=port),  # noqa: S104
    )
    server = RayServer(cluster, port)
    try:
        server.deploy(configuration(port, checkpoint, **autoscaling))
        wait_until(server.is_running)
        yield server
    finally:
        with suppress(Exception):  # a node may be gone
            serve.shutdown()


def wait_until(condition: Callable[[], bool], timeout_s: float = START_TIMEOUT_S) -> None:
    """Returns once a condition holds.

    Raises:
        TimeoutError: it does not in time.
    """
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {timeout_s:g} s")
        time.sleep(0.1)

"""deploy/ray against the schemas of Ray Serve and Kubernetes, and the server's own settings."""

import subprocess
from typing import Any

import kubernetes_validate
import pytest
import yaml

from app.config.settings import Settings
from benchmarks.lib.ray_cluster import deployed_variables
from tests.packaging.dockerfile import ROOT
from tests.packaging.test_kubernetes import VERSIONS

FOLDER = ROOT / "deploy" / "ray"
SERVE: dict[str, Any] = yaml.safe_load((FOLDER / "serve.yaml").read_text("utf-8"))
SERVICE: dict[str, Any] = yaml.safe_load((FOLDER / "rayservice.yaml").read_text("utf-8"))
(DEPLOYMENT,) = SERVE["applications"][0]["deployments"]
CLUSTER = SERVICE["spec"]["rayClusterConfig"]
PODS = [CLUSTER["headGroupSpec"]["template"], *(group["template"] for group in CLUSTER["workerGroupSpecs"])]


@pytest.mark.filterwarnings("ignore")  # of Ray's
def test_the_configuration_has_the_form_that_ray_takes() -> None:
    schema = pytest.importorskip("ray.serve.schema", reason="Ray is not installed").ServeDeploySchema
    schema.model_validate(SERVE)
    wrong = DEPLOYMENT | {"max_surge_percent": 200}
    with pytest.raises(ValueError, match="max_surge_percent"):
        schema.model_validate({"applications": [SERVE["applications"][0] | {"deployments": [wrong]}]})


def test_kubernetes_has_the_same_configuration() -> None:
    assert yaml.safe_load(SERVICE["spec"]["serveConfigV2"]) == SERVE


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("pod", PODS, ids=["head", "worker"])
def test_each_pod_has_the_form_that_kubernetes_takes(pod: dict[str, Any], version: str) -> None:
    """The package has no schema of a RayService; all but a few fields of ours are of its pods."""
    document = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "ray"}, **pod}
    kubernetes_validate.validate(document, version, strict=True)
    wrong = document | {"spec": document["spec"] | {"container": []}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, version, strict=True)


def test_the_settings_exist_and_replicas_leave_before_they_are_killed() -> None:
    settings = Settings.from_env(DEPLOYMENT["ray_actor_options"]["runtime_env"]["env_vars"])
    grace_s = DEPLOYMENT["graceful_shutdown_timeout_s"]
    assert settings.requests.deadline_ms / 1000 < grace_s < PODS[0]["spec"]["terminationGracePeriodSeconds"]
    assert DEPLOYMENT["max_ongoing_requests"] == settings.connections.max_concurrent_requests
    assert DEPLOYMENT["autoscaling_config"]["policy"]["policy_kwargs"]["target"] < settings.batching.max_queue_texts


def test_the_version_is_that_of_the_lock() -> None:
    lock = (ROOT / "requirements" / "dev.txt").read_text("utf-8")
    assert f"\nray=={CLUSTER['rayVersion']} " in lock


def test_machines_without_kubernetes_get_the_same_variables() -> None:
    script = f". {FOLDER}/variables.sh && env -0"
    found = subprocess.run(["sh", "-c", script], env={}, check=True, capture_output=True, text=True).stdout
    variables = dict(entry.split("=", 1) for entry in found.split("\0")[:-1])
    assert {name: value for name, value in variables.items() if name.startswith("RAY_")} == deployed_variables()


def test_a_dead_replica_is_given_up_after_every_deadline_of_the_server() -> None:
    settings = Settings.from_env(DEPLOYMENT["ray_actor_options"]["runtime_env"]["env_vars"])
    deadline_ms = max(settings.requests.deadline_ms, settings.explain.deadline_ms)
    assert deadline_ms / 1000 < int(deployed_variables()["RAY_SERVE_HAPROXY_TIMEOUT_SERVER_S"])

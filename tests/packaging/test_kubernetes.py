"""deploy/kubernetes against the schemas of Kubernetes, the image and the server's own settings."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from app.config.settings import Settings
from app.telemetry.metrics import Metrics
from tests.app.conftest import FakeClassifier, make_app
from tests.packaging.dockerfile import ROOT, assignments, lineage, read

FOLDER = ROOT / "deploy" / "kubernetes"
NOT_KUBERNETES = {"kustomization.yaml", "adapter-values.yaml"}
CUSTOM = {"ServiceMonitor"}
"""Kinds of others, whose schemas the package does not have."""

VERSIONS = ("1.32", "1.37")
OVERLAYS = ("cpu-autoscaling", "queue-autoscaling")


def manifest(path: Path) -> dict[str, Any]:
    (document,) = yaml.safe_load_all(path.read_text("utf-8"))
    assert isinstance(document, dict)
    return document


MANIFESTS = {
    str(path.relative_to(FOLDER)): manifest(path)
    for path in sorted(FOLDER.rglob("*.yaml"))
    if path.name not in NOT_KUBERNETES
}
DEPLOYMENT = MANIFESTS["base/deployment.yaml"]
POD = DEPLOYMENT["spec"]["template"]["spec"]
(CONTAINER,) = POD["containers"]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", [name for name, found in MANIFESTS.items() if found["kind"] not in CUSTOM])
def test_each_manifest_has_the_form_that_kubernetes_takes(name: str, version: str) -> None:
    document = MANIFESTS[name]
    assert document["apiVersion"]
    kubernetes_validate.validate(document, version, strict=True)  # raises if a field is wrong, missing or unknown


def test_a_wrong_field_would_be_seen() -> None:
    wrong = DEPLOYMENT | {"spec": DEPLOYMENT["spec"] | {"replica": 3}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, VERSIONS[0], strict=True)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_an_overlay_lists_files_that_are_there_and_leaves_none_out(overlay: str) -> None:
    listed = set()
    for folder in (FOLDER / overlay, FOLDER / "base"):
        resources = manifest(folder / "kustomization.yaml")["resources"]
        listed |= {folder / name for name in resources if name != "../base"}
    assert listed == {
        path
        for folder in ("base", overlay)
        for path in (FOLDER / folder).glob("*.yaml")
        if path.name not in NOT_KUBERNETES
    }


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_kustomize_makes_the_same_of_them(overlay: str) -> None:
    run = subprocess.run(["kubectl", "kustomize", FOLDER / overlay], capture_output=True, text=True, check=True)
    made = {document["kind"]: document for document in yaml.safe_load_all(run.stdout)}
    assert made == {
        found["kind"]: found for name, found in MANIFESTS.items() if name.split("/")[0] in ("base", overlay)
    }


def test_everything_selects_the_pods_and_nothing_else() -> None:
    labels = DEPLOYMENT["spec"]["template"]["metadata"]["labels"]
    selectors = [
        DEPLOYMENT["spec"]["selector"]["matchLabels"],
        MANIFESTS["base/service.yaml"]["spec"]["selector"],
        MANIFESTS["base/disruption-budget.yaml"]["spec"]["selector"]["matchLabels"],
        MANIFESTS["base/network-policy.yaml"]["spec"]["podSelector"]["matchLabels"],
        *(spread["labelSelector"]["matchLabels"] for spread in POD["topologySpreadConstraints"]),
    ]
    assert selectors == [labels] * len(selectors)
    service_labels = MANIFESTS["base/service.yaml"]["metadata"]["labels"]
    assert MANIFESTS["queue-autoscaling/monitor.yaml"]["spec"]["selector"]["matchLabels"] == service_labels


def test_the_pod_is_confined() -> None:
    user = next(stage.all("USER")[-1].text for stage in reversed(lineage(read(), "cpu")) if stage.all("USER"))
    security = POD["securityContext"]
    assert security["runAsNonRoot"] is True
    assert user == f"{security['runAsUser']}:{security['runAsGroup']}"
    assert CONTAINER["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert CONTAINER["resources"]["limits"].keys() == CONTAINER["resources"]["requests"].keys() == {"cpu", "memory"}


def test_the_settings_exist_and_end_before_the_pod_is_killed() -> None:
    settings = Settings.from_env({entry["name"]: entry["value"] for entry in CONTAINER["env"]})
    grace = POD["terminationGracePeriodSeconds"]
    assert settings.connections.drain_delay_s + settings.connections.drain_timeout_s + 5 <= grace
    readiness = CONTAINER["readinessProbe"]
    assert readiness["periodSeconds"] * readiness["failureThreshold"] < settings.connections.drain_delay_s


def test_kubernetes_does_not_set_the_port_for_the_service() -> None:
    """A Service called sluice makes SLUICE_PORT=tcp://…, which is a setting of ours."""
    assert POD["enableServiceLinks"] is False


def test_ports_and_probes_are_those_of_the_server() -> None:
    environ = assignments(" ".join(run.text for stage in lineage(read(), "cpu") for run in stage.all("ENV")))
    (port,) = CONTAINER["ports"]
    assert str(port["containerPort"]) == environ["SLUICE_PORT"]
    assert DEPLOYMENT["spec"]["template"]["metadata"]["annotations"]["prometheus.io/port"] == environ["SLUICE_PORT"]
    paths = make_app(Settings(), {"sentiment": FakeClassifier()}).openapi()["paths"]
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        request = CONTAINER[probe]["httpGet"]
        assert request["path"] in paths
        assert request["port"] == port["name"]


def test_the_autoscaler_asks_for_a_metric_that_there_is() -> None:
    (pods,) = (
        metric["pods"]
        for metric in MANIFESTS["queue-autoscaling/autoscaler.yaml"]["spec"]["metrics"]
        if metric["type"] == "Pods"
    )
    name = pods["metric"]["name"]
    metrics = Metrics()
    assert f"# TYPE {name} gauge".encode() in metrics.render(metrics.snapshot())
    (rule,) = manifest(FOLDER / "queue-autoscaling" / "adapter-values.yaml")["rules"]["custom"]
    assert rule["seriesQuery"].startswith(name + "{")
    assert rule["name"]["matches"] == name
    assert int(pods["target"]["averageValue"]) < Settings().batching.max_queue_texts

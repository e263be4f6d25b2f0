"""docker-compose.yml against the Dockerfile and, where Docker's client is there, against Compose itself."""

import os
import re
import subprocess
import sys
from typing import Any

import pytest
import yaml

from tests.packaging.dockerfile import ROOT, read

FILE = ROOT / "docker-compose.yml"
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(FILE.read_text("utf-8"))["services"]
OURS = {name: service for name, service in SERVICES.items() if "build" in service}
HAS_COMPOSE = not subprocess.run(["sh", "-c", "docker compose version"], capture_output=True, check=False).returncode


def test_plain_up_starts_the_cpu_server_alone() -> None:
    assert [name for name, service in SERVICES.items() if "profiles" not in service] == ["sluice"]
    assert SERVICES["sluice"]["build"]["target"] == "cpu"


def test_the_profile_gpu_adds_the_cuda_image() -> None:
    (name,) = (name for name, service in SERVICES.items() if service.get("profiles") == ["gpu"])
    service = SERVICES[name]
    assert service["build"]["target"] == "cuda"
    assert service["deploy"]["resources"]["reservations"]["devices"][0]["capabilities"] == ["gpu"]
    # Both may run at once: `docker compose --profile gpu up` starts both.
    assert not set(service["ports"]) & set(SERVICES["sluice"]["ports"])


def test_the_profile_observability_adds_what_looks_on_and_opens_it_to_this_machine_only() -> None:
    others = {name: service for name, service in SERVICES.items() if name not in OURS}
    assert set(others) == {"prometheus", "grafana"}
    for service in others.values():
        assert service["profiles"] == ["observability"]
        assert re.fullmatch(r"[a-z]+/[a-z]+:v?\d+\.\d+\.\d+", service["image"]), "one version, not the latest"
        assert all(port.startswith("127.0.0.1:") for port in service["ports"])
        mounted = [volume.split(":")[0] for volume in service["volumes"] if volume.endswith(":ro")]
        assert mounted
        assert all((ROOT / folder).is_dir() for folder in mounted)


def test_the_file_satisfies_the_schema_of_compose() -> None:
    pytest.importorskip("check_jsonschema", reason="check-jsonschema, which carries the schema, is not installed")
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(FILE)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("service", OURS.values(), ids=OURS.keys())
def test_our_images_are_built_here(service: dict[str, Any]) -> None:
    assert service["build"]["target"] in read()


@pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES.keys())
def test_services_are_confined(service: dict[str, Any]) -> None:
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["deploy"]["resources"]["limits"].keys() == {"cpus", "memory", "pids"}


@pytest.mark.parametrize("service", OURS.values(), ids=OURS.keys())
def test_the_health_check_is_the_images_own(service: dict[str, Any]) -> None:
    """Compose only paces it; a `test` here would be a second copy."""
    assert service["healthcheck"].keys() == {"interval", "timeout", "retries", "start_period"}


@pytest.mark.skipif(not HAS_COMPOSE, reason="docker compose is not installed")
@pytest.mark.parametrize("profile", ["", "gpu", "observability"])
def test_compose_accepts_the_file(profile: str) -> None:
    profiles = ["--profile", profile] if profile else []
    env = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")}
    subprocess.run(["docker", "compose", "-f", FILE, *profiles, "config", "--quiet"], env=env, check=True)

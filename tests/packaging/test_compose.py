"""docker-compose.yml against the Dockerfile and, where Docker's client is there, against Compose itself."""

import os
import subprocess
from typing import Any

import pytest
import yaml

from tests.packaging.dockerfile import ROOT, read

FILE = ROOT / "docker-compose.yml"
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(FILE.read_text("utf-8"))["services"]
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


@pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES.keys())
def test_services_are_confined(service: dict[str, Any]) -> None:
    assert service["build"]["target"] in read()
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["deploy"]["resources"]["limits"].keys() == {"cpus", "memory", "pids"}


@pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES.keys())
def test_the_health_check_is_the_images_own(service: dict[str, Any]) -> None:
    """Compose only paces it; a `test` here would be a second copy."""
    assert service["healthcheck"].keys() == {"interval", "timeout", "retries", "start_period"}


@pytest.mark.skipif(not HAS_COMPOSE, reason="docker compose is not installed")
@pytest.mark.parametrize("profiles", [[], ["--profile", "gpu"]], ids=["plain", "gpu"])
def test_compose_accepts_the_file(profiles: list[str]) -> None:
    env = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")}
    subprocess.run(["docker", "compose", "-f", FILE, *profiles, "config", "--quiet"], env=env, check=True)

"""The origin of a checkpoint: digests of the data, versions of the code and of its libraries."""

import hashlib
import os
import platform
import subprocess
import tomllib
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
CPUINFO = Path("/proc/cpuinfo")
LIBRARIES = ("torch", "tokenizers", "safetensors", "numpy", "pydantic")


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes, 64 hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def origin() -> dict[str, Any]:
    """Date and time (UTC, ISO 8601), code and libraries, by their fields in every record."""
    return {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "code": code_version(),
        "libraries": library_versions(),
    }


def code_version() -> dict[str, str | None]:
    """The project's version, and its commit: `-dirty` marks uncommitted changes, None a folder without Git."""
    return {"version": _project_version(), "commit": _describe()}


def library_versions() -> dict[str, str]:
    """Versions of Python and of the libraries that a result depends on."""
    versions = {"python": platform.python_version()}
    for library in LIBRARIES:
        try:
            versions[library] = version(library)
        except PackageNotFoundError:
            versions[library] = "unknown"
    return versions


def _project_version() -> str | None:
    try:
        found = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    except (OSError, KeyError, tomllib.TOMLDecodeError):
        return None
    return str(found)


def _describe() -> str | None:
    """`git describe`; None where the code is not itself a Git checkout, even if a folder above it is one."""
    if not (ROOT / ".git").exists():
        return None
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--tags"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None


def describe_machine() -> str:
    """The processor and how many of its cores this process may use."""
    try:
        lines = CPUINFO.read_text(encoding="utf-8").splitlines()
        model = next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        model = platform.processor() or platform.machine()
    # macOS and Windows cannot bind a process to cores.
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{model}, {cores} cores"

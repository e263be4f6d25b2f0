"""Finds the build of torch that fits a machine, before torch or anything else is installed."""

import base64
import importlib.metadata
import platform
import re
import shutil
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path
from urllib.parse import unquote

DRIVER = Path("/proc/driver/nvidia/version")
"""There while the kernel has NVIDIA's driver; WSL has `nvidia-smi` in its place."""
ANSWER_S = 5.0
"""The index of torch must answer within this time; a name that does not resolve can take a minute to fail."""


def has_nvidia_gpu() -> bool:
    """Looks for NVIDIA's driver or for a GPU that `nvidia-smi` lists; torch cannot be asked yet."""
    smi = shutil.which("nvidia-smi")
    if DRIVER.exists() or not smi:
        return DRIVER.exists()
    try:
        listed = subprocess.run([smi, "-L"], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return listed.returncode == 0 and "GPU 0" in listed.stdout


def locked_torch(lock: Path) -> str | None:
    """The version of torch that a lock names."""
    match = re.search(r"^torch==([\w.]+)", lock.read_text("utf-8"), re.MULTILINE)
    return match[1] if match else None


def installed_torch() -> str | None:
    """The version of torch that is installed, such as 2.13.0+cpu."""
    try:
        return importlib.metadata.version("torch")
    except importlib.metadata.PackageNotFoundError:
        return None


def without_credentials(index: str) -> tuple[str, str]:
    """An index's address without user and password, which a log must not hold, and these as `user:password`."""
    found = re.fullmatch(r"(\w+://)([^/]*)@(.*)", index)
    return (index, "") if found is None else (found[1] + found[3], unquote(found[2]))


def why_not(index: str, version: str, wait_s: float = ANSWER_S) -> str | None:
    """The reason why torch cannot be had from an index, or None; takes no longer than `wait_s` seconds."""
    answers: list[str] = []
    reasons: list[str] = []

    def ask() -> None:
        try:
            address, credentials = without_credentials(index)
            request = urllib.request.Request(f"{address.rstrip('/')}/torch/")
            if credentials:
                token = base64.b64encode(credentials.encode()).decode()
                request.add_unredirected_header("Authorization", f"Basic {token}")
            with urllib.request.urlopen(request, timeout=wait_s) as answer:
                answers.append(answer.read().decode("utf-8", "replace"))
        except (OSError, ValueError) as error:
            reasons.append(str(getattr(error, "reason", error)))

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(wait_s)
    if not answers:
        return reasons[0] if reasons else f"no answer within {wait_s:g} s"
    tag = f"cp{sys.version_info.major}{sys.version_info.minor}"
    wheel = rf"torch-{re.escape(version)}(?:(?:\+|%2B)[\w.]+)?-{tag}-{tag}-\w*{platform.machine()}\.whl"
    if not re.search(wheel, answers[0], re.IGNORECASE):
        return f"it has no wheel of torch {version} for Python {tag[2]}.{tag[3:]} on {platform.machine()}"
    return None

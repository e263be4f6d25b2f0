"""Installs a lock into the environment of the Python that runs this, and says what it does and how far it is.

    .venv/bin/python -m requirements.install requirements/core.txt --torch-index URL [--torch-index-always] [--uv uv]

The Makefile calls it. Nothing but the standard library is there yet. On Linux the package index's wheel of torch brings
gigabytes of CUDA: without an NVIDIA GPU, torch comes from `--torch-index` (PyTorch's CPU wheels) where that answers.
"""

import argparse
import ast
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from requirements.progress import SILENCE_S, PipProgress, UvProgress, relay, say
from requirements.pytorch import has_nvidia_gpu, installed_torch, locked_torch, why_not, without_credentials


@dataclass(frozen=True)
class Pip:
    """The environment's own pip."""

    name = "pip"

    def install(self, arguments: list[str], index: str | None = None) -> int:
        """Installs what the arguments say, from one index only if it is named."""
        version = tuple(int(part) for part in re.findall(r"\d+", importlib.metadata.version("pip"))[:2])
        # Not compiling what most runs never import makes the first start three times faster.
        command = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--no-compile"]
        command += ["--progress-bar", "raw" if version >= (24, 1) else "off"]
        command += ["--index-url", index] if index else []
        return relay(
            [*command, *arguments], PipProgress(asked_for(arguments)), "stdout", os.environ | {"PYTHONUNBUFFERED": "1"}
        )


@dataclass(frozen=True)
class Uv:
    """The program uv, asked to look where pip is configured to look."""

    program: str
    name = "uv"

    def install(self, arguments: list[str], index: str | None = None) -> int:
        """Installs what the arguments say, from one index only if it is named."""
        command = [self.program, "pip", "install", "--python", sys.executable]
        env = uv_environment()
        if index:
            command += ["--default-index", index]
            env = {name: value for name, value in env.items() if name not in {"UV_INDEX", "UV_FIND_LINKS"}}
        return relay([*command, *arguments], UvProgress(), "stderr", env)


def asked_for(arguments: list[str]) -> int:
    """Number of packages that an installation's arguments name, those of a lock after `-r` included."""
    if "-r" not in arguments:
        return sum(1 for argument in arguments if not argument.startswith("-"))
    lines = Path(arguments[arguments.index("-r") + 1]).read_text("utf-8").splitlines()
    return sum(1 for line in lines if line and not line.startswith("#"))


def uv_environment() -> dict[str, str]:
    """The environment for uv: it has settings of its own and reads none of pip's, so pip's are handed on."""
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=False
    )
    lines = listed.stdout.splitlines() if listed.returncode == 0 else []
    settings: dict[str, str] = {}
    for name, value in (line.split("=", 1) for line in sorted(lines, reverse=True)):  # ":env:" comes last and wins
        settings[name.rpartition(".")[2]] = str(ast.literal_eval(value))
    separator = {"UV_FIND_LINKS": ","}
    names = {
        "UV_DEFAULT_INDEX": "index-url",
        "UV_INDEX": "extra-index-url",
        "UV_FIND_LINKS": "find-links",
        "SSL_CERT_FILE": "cert",
    }
    given = {
        variable: separator.get(variable, " ").join(settings[name].split())
        for variable, name in names.items()
        if name in settings
    }
    if "UV_INDEX" in given:
        given["UV_INDEX_STRATEGY"] = "unsafe-best-match"  # pip's own: all indexes are equal
    return given | os.environ


def usable(uv: str) -> str | None:
    """Path of uv if it is there and runs: version managers leave programs on the path that only say what is missing."""
    found = shutil.which(uv) if uv else None
    if found and subprocess.run([found, "--version"], capture_output=True, check=False).returncode == 0:
        return found
    return None


def install_torch(installer: Pip | Uv, version: str, index: str) -> None:
    """Installs torch from its own index; where that cannot be, says so and leaves it to the package index."""
    reason = why_not(index, version)
    if reason is None and installer.install(["--no-deps", f"torch=={version}"], index):
        reason = "the installation failed"
    if reason is not None:
        say(f"  not from there ({reason}): from the package index, whose build may bring some 3 GB of CUDA")


def main(argv: list[str] | None = None) -> int:
    """Installs torch where it must come from, then everything else; the installer's exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("lock", type=Path)
    parser.add_argument("--torch-index", default="", help="for torch on Linux without an NVIDIA GPU; empty for none")
    parser.add_argument("--torch-index-always", action="store_true", help="for torch on every machine")
    parser.add_argument("--uv", default="", help="uv, which is used if it runs")
    options = parser.parse_args(argv)
    uv = usable(options.uv)
    installer = Uv(uv) if uv else Pip()
    say(f"Installing {options.lock} with {installer.name}; a line tells every {SILENCE_S:g} s how far it is")
    version, shown = locked_torch(options.lock), without_credentials(options.torch_index)[0]
    if version and version != (installed_torch() or "").partition("+")[0]:
        if options.torch_index and options.torch_index_always:
            say(f"PyTorch {version} from {shown}, as TORCH_INDEX_URL says")
            install_torch(installer, version, options.torch_index)
        elif sys.platform == "linux" and has_nvidia_gpu():
            say(f"PyTorch {version} with CUDA, for the NVIDIA GPU: some 3 GB from the package index")
        elif sys.platform == "linux" and options.torch_index:
            say(f"PyTorch {version} without CUDA, as there is no NVIDIA GPU: from {shown}")
            install_torch(installer, version, options.torch_index)
    code = installer.install(["-r", str(options.lock)])
    if code and uv:
        say("uv could not install it; `make UV= ...` installs with pip")
    return code


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)

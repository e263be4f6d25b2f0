"""Builds the engine's C++ library: `python -m model.engine.build`.

Without a compiler PyTorch computes instead, several times slower.
"""

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

from model.files import replacing

LIBRARY = Path(__file__).with_name("libengine.so")
"""Library that `model.engine.cpu` loads. Any x86-64 can build it: the processor is checked when it is loaded."""

SOURCE = Path(__file__).with_name("engine.cpp")
FLAGS = ("-O3", "-std=c++17", "-fPIC", "-shared")


def build(library: Path = LIBRARY) -> str:
    """Compiles the library where possible; returns a sentence on the outcome."""
    if platform.machine().lower() not in ("x86_64", "amd64"):
        return f"engine: not for {platform.machine()}; PyTorch computes"
    compiler = os.environ.get("CXX") or shutil.which("g++") or shutil.which("clang++")
    if compiler is None:
        return "engine: no C++ compiler found; PyTorch computes, several times slower"
    try:
        with replacing(library) as partial:
            command = [compiler, *FLAGS, str(SOURCE), "-o", str(partial)]
            subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 - a compiler on our file
    except subprocess.CalledProcessError as error:
        return f"engine: {compiler} failed; PyTorch computes, several times slower\n{error.stderr.strip()}"
    return f"engine: built {library.name} with {compiler}"


if __name__ == "__main__":
    sys.stdout.write(build() + "\n")

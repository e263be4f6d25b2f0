"""Builds the engine's library where there is a C++ compiler: `python -m model.engine.build`.

Without one nothing is lost but speed.
"""

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

LIBRARY = Path(__file__).with_name("libengine.so")
"""What `model.engine.cpu` loads. Any x86-64 may build it: it asks the processor before it runs."""

SOURCE = Path(__file__).with_name("engine.cpp")
FLAGS = ("-O3", "-std=c++17", "-fPIC", "-shared")


def build() -> str:
    """Compiles the library, if it can be; returns what happened, for a person."""
    if platform.machine().lower() not in ("x86_64", "amd64"):
        return f"engine: not for {platform.machine()}; PyTorch computes"
    compiler = os.environ.get("CXX") or shutil.which("g++") or shutil.which("clang++")
    if compiler is None:
        return "engine: no C++ compiler found; PyTorch computes, several times slower"
    partial = LIBRARY.with_suffix(".partial")
    done = subprocess.run(  # noqa: S603 - a compiler on a file of ours
        [compiler, *FLAGS, str(SOURCE), "-o", str(partial)], capture_output=True, text=True
    )
    if done.returncode:
        partial.unlink(missing_ok=True)
        return f"engine: {compiler} failed; PyTorch computes, several times slower\n{done.stderr.strip()}"
    partial.replace(LIBRARY)
    return f"engine: built {LIBRARY.name} with {compiler}"


if __name__ == "__main__":
    sys.stdout.write(build() + "\n")

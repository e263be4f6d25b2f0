"""Builds the engine's C++ library: `python -m model.engine.build`.

Each source below `native/` is compiled by itself, because some are for an instruction set of their
own, and all are linked into one library. Without a compiler PyTorch computes instead, several times
slower.
"""

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from model.files import replacing
from model.library import LIBRARY

SOURCES = Path(__file__).with_name("native")
COMPILERS = ("g++", "clang++")
"""Looked for in this order where `CXX` names none."""

FLAGS = ("-O3", "-std=c++17", "-fPIC")
GCC = ("-fno-tree-pre", "-fno-schedule-insns")
"""GCC 12 spills the sums of the innermost loop into memory when it removes partial redundancies, and on ARM when it
orders instructions before it has registers: up to twice the time. Clang refuses the first of them."""

_AVX2 = ("-mavx2", "-mfma")
_AVX512 = ("-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl", "-mavx512vnni", *_AVX2)
SETS = {
    "kernel_amx": ("-mamx-tile", "-mamx-int8", *_AVX512),
    "kernel_amx_emulated": _AVX512,
    "kernel_avx512_fixed": _AVX512,
    "kernel_avx512": _AVX512,
    "kernel_avx_vnni": ("-mavxvnni", *_AVX2),
    "kernel_avx2": _AVX2,
    "kernel_neon_i8mm": ("-march=armv8.2-a+dotprod+i8mm",),
    "kernel_neon": ("-march=armv8.2-a+dotprod",),
}
"""Flags of the instruction set that a source is for. Where the compiler knows them not, it compiles to nothing."""


def build(library: Path = LIBRARY) -> str:
    """Compiles the library where possible; returns a sentence on the outcome."""
    # As make reads it: "ccache g++" is a command with an argument.
    found = (shutil.which(name) for name in COMPILERS)
    command = shlex.split(os.environ.get("CXX", "")) or list(filter(None, found))[:1]
    if not command:
        return "engine: no C++ compiler found; PyTorch computes, several times slower"
    compiler = shlex.join(command)
    try:
        with replacing(library) as partial, tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor() as pool:
            sources = sorted(SOURCES.glob("*.cpp"))
            objects = list(pool.map(lambda source: compile_source(command, source, Path(folder)), sources))
            _run(*command, "-shared", *map(str, objects), "-o", str(partial))
    except (subprocess.CalledProcessError, OSError) as error:
        said = error.stderr.strip() if isinstance(error, subprocess.CalledProcessError) else error
        return f"engine: {compiler} failed; PyTorch computes, several times slower\n{said}"
    return f"engine: built {library.name} with {compiler}"


def compile_source(compiler: Sequence[str], source: Path, folder: Path) -> Path:
    """Compiles one source into an object file in the folder.

    Raises:
        subprocess.CalledProcessError: the compiler refused it; `stderr` says why.
    """
    target = folder / f"{source.stem}.o"
    command = (*compiler, *FLAGS, "-c", str(source), "-o", str(target))
    wanted = SETS.get(source.stem, ())
    # Refused flags are another compiler's, another processor's, or newer than the compiler.
    for flags in dict.fromkeys([(*GCC, *wanted), wanted, GCC]):
        try:
            _run(*command, *flags)
        except subprocess.CalledProcessError:
            continue
        return target
    _run(*command)
    return target


def _run(*command: str) -> None:
    subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 - a compiler on our files


if __name__ == "__main__":
    sys.stdout.write(build() + "\n")

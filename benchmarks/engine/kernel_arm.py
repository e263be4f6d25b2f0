"""Runs the ARM kernels of the CPU engine on another processor, under QEMU, and compares them with the portable one.

    python -m benchmarks.engine.kernel_arm

It needs a cross compiler and an emulator; on Debian and Ubuntu: `apt-get install g++-aarch64-linux-gnu
qemu-user-static`. On an ARM machine the tests of `tests/model/engine/test_cpu.py` do the same. Says nothing on speed.
"""

import shutil
import subprocess
import tempfile
from pathlib import Path

import click

from model.engine.build import SOURCES, compile_source

COMPILER, EMULATOR = "aarch64-linux-gnu-g++", "qemu-aarch64-static"
KERNELS = ("neon", "neon-i8mm")
PROGRAM = Path(__file__).with_name("kernels_agree.cpp")


def run_on_arm(folder: Path) -> str:
    """Compiles kernels and program for ARM in the folder and runs them; returns what they print.

    Raises:
        subprocess.CalledProcessError: they do not compile, or the kernels differ.
    """
    sources = [*sorted(SOURCES.glob("kernel_*.cpp")), SOURCES / "engine.cpp", SOURCES / "gate_tables.cpp"]
    objects = [str(compile_source([COMPILER], source, folder)) for source in sources]
    program = str(folder / "kernels_agree")
    command = [COMPILER, "-O1", "-std=c++17", "-static", f"-I{SOURCES}", str(PROGRAM), *objects, "-o", program]
    subprocess.run(command, capture_output=True, text=True, check=True)
    return subprocess.run([EMULATOR, program], capture_output=True, text=True, check=True).stdout


@click.command(help=__doc__)
def main() -> None:
    """Prints how far the kernels agree; exits with 1 if they do not."""
    if missing := [name for name in (COMPILER, EMULATOR) if shutil.which(name) is None]:
        raise click.ClickException(f"not found: {', '.join(missing)}; see --help")
    with tempfile.TemporaryDirectory() as folder:
        try:
            found = run_on_arm(Path(folder))
        except subprocess.CalledProcessError as error:
            raise click.ClickException(f"{error.stdout}{error.stderr}") from error
    run = {line.partition(",")[0] for line in found.splitlines()}
    if missing := [kernel for kernel in KERNELS if kernel not in run]:
        raise click.ClickException(f"not run: {', '.join(missing)}; the emulator is too old")
    print(found, end="")


if __name__ == "__main__":
    main()

"""Runs a module as `python -m` does, and prints the most memory that its process held.

    python -m benchmarks.training.peak training train --train train.csv --output model

Under `torchrun` each process prints a line of its own. Pages of mapped files count in every process that touched them.
"""

import os
import runpy
import sys
import time
from pathlib import Path


def main() -> None:
    """Runs the module of the first argument with the others; its exit code stays as it is."""
    sys.argv = sys.argv[1:]
    try:
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
    finally:
        print(
            f"process {os.environ.get('RANK', '0')}: {peak() / 2**30:.2f} GiB at the peak, "
            f"{time.process_time():.0f} s of processor time",
            flush=True,
        )


def peak() -> int:
    """The most memory that this process held, in bytes; `getrusage` would count what its parent held at its start."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))


if __name__ == "__main__":
    main()

"""What freed blocks leave behind among blocks that stay."""

import subprocess
import sys

import pytest

HOLES = """
from model.memory import give_back

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096 / 1e6

freed, staying = [], []
for _ in range(1000):
    freed.append(b"x" * 100_000)
    staying.append(b"x" * 1000)
del freed
before = resident()
give_back()
print(before - resident())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc")
def test_room_between_blocks_that_stay_goes_back_to_the_system() -> None:
    run = subprocess.run([sys.executable, "-c", HOLES], capture_output=True, text=True, check=True, timeout=60)
    assert float(run.stdout) > 50

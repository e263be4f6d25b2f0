"""What a burst of large bodies leaves behind."""

import subprocess
import sys

import pytest

BURST = """
import sys
from app.core.memory import return_large

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096 / 1e6

if sys.argv[1] == "True":
    return_large()
bytearray(30_000_000)  # from now on glibc would keep blocks of that size
before = resident()
bodies, staying = [], []
for _ in range(200):
    bodies.append(bytearray(500_000))
    staying.append(bytearray(1000))
del bodies
print(resident() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc")
@pytest.mark.parametrize("returning", [True, False])
def test_large_blocks_go_back_to_the_system_although_small_ones_stay_between(returning: bool) -> None:
    run = subprocess.run(
        [sys.executable, "-c", BURST, str(returning)], capture_output=True, text=True, check=True, timeout=60
    )
    megabytes_held = float(run.stdout)
    assert megabytes_held < 10 if returning else megabytes_held > 50

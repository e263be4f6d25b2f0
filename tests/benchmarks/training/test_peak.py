import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_a_process_says_what_it_held_and_ends_as_the_module_does(tmp_path: Path) -> None:
    (tmp_path / "held.py").write_text("import sys\nheld = b'x' * (300 * 2**20)\nprint(sys.argv[1:])\nsys.exit(3)\n")
    path = os.pathsep.join([str(ROOT), str(tmp_path)])
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.training.peak", "held", "--some", "option"],
        env={**os.environ, "PYTHONPATH": path, "RANK": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 3
    told = done.stdout.splitlines()
    assert told[0] == "['--some', 'option']"
    found = re.fullmatch(r"process 1: (\S+) GiB at the peak, \d+ s of processor time", told[1])
    assert found
    assert 0.29 < float(found[1]) < 0.4

"""Tests of the log of a process: what is in it, and what comes of it where it cannot be written."""

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import logging, sys
from app.core.log import configure
configure("info")
for _ in range(3):
    try:
        raise ValueError("A SECRET of a client")
    except ValueError:
        logging.getLogger("x").exception("unforeseen error")
"""


def run(program: str, stdout: str) -> subprocess.CompletedProcess[str]:
    """Runs a program whose standard output goes to a file."""
    with Path(stdout).open("w") as file:
        return subprocess.run([sys.executable, "-c", program], stdout=file, stderr=-1, text=True, check=False)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a device that is always full")
def test_a_log_that_cannot_be_written_is_one_sentence_on_standard_error() -> None:
    found = run(PROGRAM, "/dev/full").stderr
    assert found.startswith("The log cannot be written: No space left on device. Its lines are lost until it can.\n")
    assert found.count("The log cannot be written") == 1
    assert "SECRET" not in found
    assert "Logging error" not in found


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a device that is always full")
def test_standard_error_that_cannot_be_written_either_harms_nothing() -> None:
    assert (
        "done"
        in run(
            f"import sys\nsys.stderr.close()\n{PROGRAM}\n"
            f"sys.stderr = sys.__stderr__ = open('/dev/full', 'w')\n{PROGRAM}\n"
            "import os; os.write(2, b'done')",
            "/dev/full",
        ).stderr
    )


def test_a_line_that_cannot_be_made_is_told_by_the_class_of_its_error(tmp_path: Path) -> None:
    program = 'import logging\nfrom app.core.log import configure\nconfigure("info")\nlogging.info("%d", "A SECRET")'
    done = run(program, f"{tmp_path}/log")
    assert done.stderr == "The log cannot be written: TypeError. Its lines are lost until it can.\n"
    assert done.returncode == 0

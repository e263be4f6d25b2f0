"""A process that is started without standard input, output or error."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]

SHOWN = """
import os, sys
from app.process.standard_files import open_standard_files
before = len(os.listdir("/proc/self/fd"))
open_standard_files()
opened = len(os.listdir("/proc/self/fd")) - before
files = [os.readlink(f"/proc/self/fd/{number}") for number in range(3)]
kept = all(os.get_inheritable(number) for number in range(3))
with open(sys.argv[1], "w") as file:
    print(*files, kept, opened, file=file)
"""


@pytest.mark.parametrize(("closed", "found"), [("", 0), (">&-", 1), (">&- 2>&-", 2), ("<&- >&- 2>&-", 3)])
def test_no_socket_gets_the_number_of_a_standard_file(closed: str, found: int, tmp_path: Path) -> None:
    command = f'exec "$0" -c "$1" "$2" {closed}'
    (tmp_path / "in").touch()
    with (tmp_path / "in").open() as given, (tmp_path / "out").open("w") as taken:
        subprocess.run(
            ["sh", "-c", command, sys.executable, SHOWN, tmp_path / "shown"],
            cwd=ROOT,
            stdin=given,
            stdout=taken,
            stderr=taken,
            check=True,
        )
    *files, kept, opened = (tmp_path / "shown").read_text().split()
    assert files.count(os.devnull) == found
    assert (kept, opened) == ("True", str(found))

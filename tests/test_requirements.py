"""Every locked version exists for every Python and system that README promises, and the locks fit together.

uv resolves the whole lock as if it were on that system, from wheels alone; nothing is installed. It asks the index that
pip is configured to ask, without further ones and folders of wheels, which may hold what fits this machine only.
"""

import itertools
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from requirements.install import uv_environment

ROOT = Path(__file__).resolve().parent.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
PYTHONS = [
    line.rpartition(" :: ")[2]
    for line in PYPROJECT["project"]["classifiers"]
    if re.fullmatch(r"Programming Language :: Python :: 3\.\d+", line)
]
SYSTEMS = ["x86_64-manylinux_2_28", "aarch64-manylinux_2_28", "aarch64-apple-darwin"]
COMPILED = {("3.11", "aarch64-apple-darwin"): "training"}
"""The largest lock that is all wheels, where it is not `dev`: there the tests' gevent is built from its source."""
UV = Path(sys.executable).with_name("uv")


def resolve(lock: Path, python: str, system: str) -> subprocess.CompletedProcess[str]:
    """Resolves a lock with all that its packages ask for; --no-config, since pyproject.toml hides what CUDA needs."""
    command: list[str | Path] = [
        UV,
        "pip",
        "compile",
        lock,
        "--python",
        sys.executable,
        "--python-version",
        python,
        "--python-platform",
        system,
    ]
    command += ["--only-binary", ":all:", "--no-config", "--quiet", "--no-header", "--no-annotate"]
    env = {name: value for name, value in uv_environment().items() if name not in {"UV_INDEX", "UV_FIND_LINKS"}}
    env["MACOSX_DEPLOYMENT_TARGET"] = "14.0"
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    if done.returncode and "No solution found" not in done.stderr:
        pytest.skip(f"the package index cannot be asked: {done.stderr.strip().splitlines()[-1]}")
    return done


@pytest.mark.parametrize(("python", "system"), list(itertools.product(PYTHONS, SYSTEMS)))
def test_every_locked_version_has_a_wheel(python: str, system: str) -> None:
    lock = COMPILED.get((python, system), "dev")
    done = resolve(ROOT / "requirements" / f"{lock}.txt", python, system)
    assert done.returncode == 0, done.stderr
    versions = dict(line.split("==") for line in done.stdout.splitlines() if "==" in line)
    assert versions["torch"] == re.search(r"^torch==(\S+)", (ROOT / "requirements/core.txt").read_text(), re.M)[1]  # type: ignore[index]


def test_a_version_that_does_not_exist_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "lock.txt").write_text("click==0.0.99\n")
    assert resolve(tmp_path / "lock.txt", PYTHONS[0], SYSTEMS[0]).returncode == 1


def test_the_pythons_are_the_same_everywhere() -> None:
    """The classifiers, requires-python, the Makefile's search and both READMEs."""
    first, last = PYTHONS[0], PYTHONS[-1]
    above = f"3.{int(last.partition('.')[2]) + 1}"
    assert [f"3.{minor}" for minor in range(int(first[2:]), int(above[2:]))] == PYTHONS
    assert PYPROJECT["project"]["requires-python"] == f">={first},<{above}"
    makefile = (ROOT / "Makefile").read_text("utf-8")
    assert f"in python3 {' '.join(f'python{python}' for python in PYTHONS)};" in makefile
    lowest, highest = (tuple(map(int, python.split("."))) for python in (first, last))
    assert f"not {lowest} <= sys.version_info[:2] <= {highest})" in makefile
    assert f"'>={first},<{above}'" in makefile
    assert set(re.findall(r"3\.\d+ to 3\.\d+", makefile)) == {f"{first} to {last}"}
    assert f"Python {first} to {last}" in (ROOT / "README.md").read_text("utf-8")
    assert f"Python {first} 至 {last}" in (ROOT / "README.zh.md").read_text("utf-8")

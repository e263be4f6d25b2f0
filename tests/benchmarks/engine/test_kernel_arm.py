"""Every kernel is compiled for ARM, and what the emulator says decides."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from benchmarks.engine import kernel_arm
from model.engine.build import SOURCES

AGREED = "neon, 1 layer: sums equal\nneon-i8mm, 1 layer: sums equal\n"


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of a compiler that writes down what it is given, and an emulator that always agrees."""
    compiler, emulator = tmp_path / "compiler", tmp_path / "emulator"
    compiler.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/given\n', "utf-8")
    emulator.write_text(f"#!/bin/sh\necho '{AGREED.strip()}'\n", "utf-8")
    for name, tool in (("COMPILER", compiler), ("EMULATOR", emulator)):
        tool.chmod(0o755)
        monkeypatch.setattr(kernel_arm, name, str(tool))
    return tmp_path


def test_all_kernels_are_compiled_and_linked_with_the_program(tools: Path) -> None:
    done = CliRunner().invoke(kernel_arm.main, catch_exceptions=False)
    assert (done.exit_code, done.output) == (0, AGREED)
    *compiled, linked = (tools / "given").read_text("utf-8").splitlines()
    needed = [*sorted(path.stem for path in SOURCES.glob("kernel_*.cpp")), "engine", "gate_tables"]
    assert len(compiled) == len(needed)
    assert all(any(f"/{name}.cpp" in line for line in compiled) for name in needed)
    assert all(f"/{name}.o" in linked for name in needed)
    assert str(kernel_arm.PROGRAM) in linked
    assert kernel_arm.PROGRAM.is_file()


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ('echo "neon: sums DIFFER"; echo furthest >&2; exit 1', "neon: sums DIFFER\nfurthest\n"),
        ('echo "neon, 1 layer: sums equal"', "not run: neon-i8mm"),
    ],
)
def test_a_difference_and_a_kernel_that_was_not_run_fail(tools: Path, script: str, said: str) -> None:
    (tools / "emulator").write_text(f"#!/bin/sh\n{script}\n", "utf-8")
    done = CliRunner().invoke(kernel_arm.main)
    assert done.exit_code == 1
    assert said in f"{done.output}{done.exception}"


def test_a_tool_that_is_not_there_is_named(tools: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel_arm, "EMULATOR", str(tools / "none"))
    done = CliRunner().invoke(kernel_arm.main)
    assert done.exit_code == 1
    assert f"not found: {tools / 'none'}; see --help" in done.output

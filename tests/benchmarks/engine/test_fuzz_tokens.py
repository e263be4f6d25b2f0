"""libFuzzer drives the comparison of tokens, and a difference ends it."""

import subprocess
import sys
from pathlib import Path

import pytest
from click import ClickException

from benchmarks.engine import fuzz_tokens
from benchmarks.engine.tokens import Run
from benchmarks.lib.shipped import SHIPPED
from model.native_text import library

if library() is None:
    pytest.skip("the library is not built: python -m model.engine.build", allow_module_level=True)


def test_changed_seeds_are_compared_until_the_time_is_over() -> None:
    pytest.importorskip("atheris")
    command = [sys.executable, "-m", "benchmarks.engine.fuzz_tokens", "--seconds", "0"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    compared, end = done.stdout.splitlines()[-2:]
    assert compared.startswith("mutated by libFuzzer: ")
    assert int(compared.split()[3].replace(",", "")) > len(fuzz_tokens.TEXTS)
    assert end == "no difference"


def test_a_difference_is_raised_with_its_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fuzz_tokens, "BLOCK", 2)
    run, tokenizer = Run.of(SHIPPED, max_tokens=8)
    course = fuzz_tokens.Course(run, seconds=60)
    for data in (b"a good film", b"a good film", b"\xff"):
        course.one(data)
    assert run.total == 2  # one text, and one that is no UTF-8
    tokenizer.normalizer = None
    course.one(b"A good film")
    with pytest.raises(ClickException, match="A good film"):
        course.compare()


def test_seeds_are_beginnings_of_the_files_texts(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(f"good\n{'b' * 999}\n", "utf-8")
    assert fuzz_tokens.seeds_of((tmp_path / "a.txt",), 64) == [b"good", b"b" * fuzz_tokens.MAX_BYTES]

"""Inputs by libFuzzer, through atheris: a function gets seeds, changed, one after the other."""

import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NoReturn


def quoted(word: bytes) -> str:
    r"""A word of libFuzzer's dictionary.

    >>> quoted(b'n"t')
    '"\\x6e\\x22\\x74"'
    """
    return '"' + "".join(f"\\x{byte:02x}" for byte in word) + '"'


def fuzz(
    one: Callable[[bytes], None],
    seeds: Iterable[bytes],
    words: Iterable[bytes],
    *,
    folder: Path,
    seed: int,
    max_bytes: int,
    options: Sequence[str] = (),
) -> NoReturn:
    """Calls `one` with input after input until it ends the process; an exception ends it too, with a code other than 0.

    Args:
        one: checks an input. libFuzzer sees what it reaches only of functions given to `atheris.instrument_func`.
        seeds: inputs to begin with.
        words: put into inputs.
        folder: an empty one.
        seed: of the draws.
        max_bytes: of an input.
        options: further ones of libFuzzer.
    """
    import atheris  # has no wheel for every system

    (folder / "corpus").mkdir()
    for number, content in enumerate(seeds):
        (folder / "corpus" / str(number)).write_bytes(content)
    (folder / "words").write_text("\n".join(map(quoted, words)), "ascii")
    fixed = [f"-max_len={max_bytes}", f"-seed={seed}", f"-dict={folder / 'words'}", "-verbosity=0"]
    where = f"-artifact_prefix={Path.cwd()}/"
    atheris.Setup([sys.argv[0], *fixed, where, *options, str(folder / "corpus")], one)
    atheris.Fuzz()
    raise AssertionError("libFuzzer ends the process")


def run_apart(module: str, arguments: Sequence[str]) -> int:
    """Runs a module in a process that libFuzzer may end; returns its exit code."""
    return subprocess.run([sys.executable, "-m", module, *arguments], check=False).returncode

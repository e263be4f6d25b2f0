"""Kills `python -m app predict` at random moments, starts it again, and compares the output with an undisturbed run's.

`python -m benchmarks.bulk.kill FILE --times 20`, with a table of real texts. Half of the outputs are files, half are
folders. Fails if one output differs by a byte, or if no kill came while parts were being written.
"""

import hashlib
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from benchmarks.lib.rows import write_rows
from benchmarks.lib.shipped import SHIPPED


@click.command(help=__doc__)
@click.argument("source", type=click.Path(path_type=Path, exists=True))
@click.option("--column", default="text", show_default=True)
@click.option("--rows", default=700_000, show_default=True)
@click.option("--times", default=20, show_default=True)
@click.option("--seed", default=0, show_default=True)
def main(source: Path, column: str, rows: int, times: int, seed: int) -> None:
    """Runs once undisturbed for each kind of output, then kills and resumes."""
    draw = random.Random(seed)
    with TemporaryDirectory() as scratch:
        table = Path(scratch) / "in.parquet"
        write_rows(source, column, rows, table)
        whole: dict[str, tuple[str, float]] = {}
        for kind in ("out.parquet", "out/"):
            began = time.perf_counter()
            _run(table, f"{scratch}/whole/{kind}")
            whole[kind] = _digest(Path(scratch) / "whole" / kind), time.perf_counter() - began
        resumed = different = 0
        for number in range(times):
            kind = ("out.parquet", "out/")[number % 2]
            expected, seconds = whole[kind]
            after_s = draw.uniform(0, seconds)
            output = f"{scratch}/{number}/{kind}"
            _run(table, output, kill_after_s=after_s)
            went_on = "goes on after" in _run(table, output)
            same = _digest(Path(output)) == expected
            resumed, different = resumed + went_on, different + (not same)
            state = "went on" if went_on else "began anew"
            print(
                f"{kind:12} killed after {after_s:5.1f} of {seconds:.1f} s, {state}: {'equal' if same else 'DIFFERENT'}"
            )
    print(f"{times} kills, {resumed} runs went on, {different} outputs differ")
    if different or not resumed:
        raise SystemExit(1)


def _run(table: Path, output: str, kill_after_s: float | None = None) -> str:
    """Runs the command, or kills it; returns what it said. One that was finished before the kill is run no further."""
    Path(output).parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "app", "predict", str(SHIPPED), str(table), "--output", output]
    command += ["--format", "parquet"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        if kill_after_s is not None:
            with suppress(subprocess.TimeoutExpired):
                process.wait(kill_after_s)
            process.send_signal(signal.SIGKILL)
        said = process.communicate()[1]
    finished = process.returncode == 0 or "is there already" in said
    if kill_after_s is None and not finished:
        raise click.ClickException(said)
    return said


def _digest(path: Path) -> str:
    """SHA-256 of a file, or of a folder's names and contents."""
    files = sorted(each for each in path.rglob("*") if each.is_file()) if path.is_dir() else [path]
    total = hashlib.sha256()
    for file in files:
        with file.open("rb") as content:
            total.update(f"{file.relative_to(path)} {hashlib.file_digest(content, 'sha256').hexdigest()}\n".encode())
    return total.hexdigest()


if __name__ == "__main__":
    main()

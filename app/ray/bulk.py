"""Scoring of many files by the workers of a Ray cluster: each file is one call of `app.bulk`.

    python -m app.ray.bulk CHECKPOINT INPUT... --output FOLDER/

Ray Data hands files to workers, which read them and write the output by themselves: no row passes through Ray. A file
that was being scored when its worker was lost is taken up by another one, after the last of its parts.
"""

import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import click
import msgspec
import ray
import ray.data

from app.bulk.errors import BulkError
from app.bulk.formats import form_of
from app.bulk.parts import BAD
from app.bulk.run import Call, identity, predict, text_columns
from app.bulk.scoring import Counts
from app.bulk.store import Store, place_of
from app.process.exits import RUN_FAILED, exit_codes
from model.classifier import Classifier
from model.computation import DTYPES
from model.errors import ModelError
from model.folder import version_at
from tables.address import address_of, is_remote
from tables.errors import TableError
from tables.reading import count
from tables.sources import find_parts

JOB = "_job.json"


@dataclass(frozen=True, slots=True)
class Task:
    """One file to score.

    Attributes:
        file: path or address, as every worker reaches it.
        name: of its file in the folder of the output.
    """

    file: str
    name: str

    @property
    def done(self) -> str:
        """Name of the file that is written last, with the counts."""
        return _done(self.name)


def _done(name: str) -> str:
    return f"_{name}.json"


class FileScorer:
    """One worker, which loads the checkpoint once, with its first file.

    Args:
        checkpoint: a folder that the worker reaches.
        call: options; files and output are those of each task.
        dtype: as `model.classifier.Classifier.load` takes it.
    """

    def __init__(self, checkpoint: str, call: Call, dtype: str) -> None:
        self._checkpoint, self._dtype = Path(checkpoint), dtype
        self._call, self._store = call, Store(call.output)
        self._loaded: Classifier | None = None

    def _classifier(self) -> Classifier:
        if self._loaded is None:
            self._loaded = Classifier.load(self._checkpoint, device="auto", dtype=self._dtype, threads=1)
        return self._loaded

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Scores the files of a batch of tasks; an error is an answer, so that it costs no other file.

        Args:
            batch: columns `file` and `name`.

        Returns:
            Columns `file` and `error`, which is empty if there was none.
        """
        files = [str(file) for file in batch["file"]]
        tasks = [Task(file, str(name)) for file, name in zip(files, batch["name"], strict=True)]
        return {"file": files, "error": [self._score(task) for task in tasks]}

    def _score(self, task: Task) -> str:
        # A file without its counts was finished in a call whose worker was lost just then.
        again = self._store.has(task.name)
        output = f"{self._store.address}/{task.name}"
        try:
            call = replace(self._call, files=[Path(task.file)], output=output, overwrite=again)
            outcome = predict(self._classifier(), call, threads=1)
        except (ModelError, TableError, BulkError, OSError) as error:
            return str(error)
        self._store.write(task.done, msgspec.json.encode(asdict(outcome.counts)))
        return ""


class Job:
    """A call on a cluster: a folder of output, one file for each of input.

    Args:
        checkpoint: a folder that each worker reaches under the same path.
        call: files and options; the output is the folder.
        dtype: as `model.classifier.Classifier.load` takes it.

    Raises:
        TableError: there is no such file, or no column of texts is found.
        BulkError: the folder holds the output of another call, or a file to read.
        ModelError: the checkpoint is not there.
    """

    def __init__(self, checkpoint: Path, call: Call, dtype: str) -> None:
        parts = find_parts(call.files)
        ending = form_of(call.output, call.format or "parquet").ending
        paths = [part.path if is_remote(part.path) else part.path.resolve() for part in parts]
        self.tasks = [Task(str(path), f"{number:06}-{path.stem}{ending}") for number, path in enumerate(paths)]
        columns = ",".join(text_columns(call, _say))
        # Workers have other working folders than the call.
        output = call.output if is_remote(call.output) else f"{Path(call.output).resolve()}"
        self._store = Store(output)
        for path in paths:
            if place_of(path).startswith(f"{self._store.place}/"):
                raise BulkError(f"{address_of(path)} is a file to read; write to another folder than {call.output}")
        self._store.make()
        self._call = replace(call, output=output, text_column=columns, format=None, overwrite=False)
        self._arguments = {"checkpoint": str(checkpoint.resolve()), "call": self._call, "dtype": dtype}
        options = asdict(replace(self._call, files=[], output=""))
        self._begin(
            {
                "checkpoint": version_at(checkpoint),
                "dtype": dtype,
                "options": options,
                "files": [*map(identity, parts)],
                "outputs": [task.name for task in self.tasks],
            },
            overwrite=call.overwrite,
        )

    def _begin(self, job: dict[str, Any], *, overwrite: bool) -> None:
        content = msgspec.json.encode(job)
        if overwrite:
            self._remove({*self._outputs(), *job["outputs"]})
        elif self._store.has(JOB) and self._store.read(JOB) != content:
            raise BulkError(
                f"{self._call.output} holds the output of another call; choose another folder, or --overwrite it"
            )
        self._store.write(JOB, content)

    def _outputs(self) -> list[str]:
        """Names of the files that the last call writes or has written here."""
        try:
            job = msgspec.json.decode(self._store.read(JOB), type=dict) if self._store.has(JOB) else {}
        except msgspec.DecodeError:
            return []
        return list(job.get("outputs", ()))

    def _remove(self, outputs: set[str]) -> None:
        """Removes files of output and all that belongs to them: else those of an earlier call would count as ours."""
        there = self._store.names()
        for name in outputs:
            for of_it in {_done(name), name, f"{name}.{BAD}"} & there:
                self._store.remove(of_it)
            if _done(name) not in there:  # begun, perhaps
                Store(f"{self._store.address}/{name}.parts").remove_all()

    @property
    def left(self) -> list[Task]:
        """Files that are not finished."""
        there = self._store.names()
        return [task for task in self.tasks if task.done not in there]

    def run(self, workers: int) -> Iterator[tuple[str, str]]:
        """Scores the files that are left; yields the name and the error, or an empty text, of each as it ends.

        Args:
            workers: that score at a time, each on one processor.
        """
        left = self.left
        files = ray.data.from_items([asdict(task) for task in left], override_num_blocks=len(left))
        scored = files.map_batches(
            FileScorer,
            fn_constructor_kwargs=self._arguments,
            batch_size=1,
            compute=ray.data.ActorPoolStrategy(size=min(workers, len(left))),
            num_cpus=1,
        )
        for row in scored.iter_rows():
            yield row["file"], row["error"]

    def counts(self) -> Counts:
        """Sums over the finished files."""
        there = self._store.names()
        done = [task.done for task in self.tasks if task.done in there]
        return sum((msgspec.json.decode(self._store.read(name), type=Counts) for name in done), Counts())


@click.command()
@click.argument("checkpoint", type=click.Path(path_type=Path))
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="INPUT...")
@click.option(
    "--output", required=True, metavar="FOLDER/", help="Folder, or address of one, that gets a file for each."
)
@click.option("--workers", type=click.IntRange(min=1), help="That score at a time; by default one a processor.")
@click.option("--format", metavar="FORMAT", help="parquet (the default), csv, tsv or jsonl.")
@click.option("--text-column", metavar="NAME", help="By default found; several with commas between are joined.")
@click.option("--keep", multiple=True, metavar="COLUMN", help="Column to write along; by default all. Repeat it.")
@click.option("--scores", is_flag=True, help="Also write the probability of each label.")
@click.option("--prefix", default="", metavar="TEXT", help="Of the names of the new columns: label, score, scores.")
@click.option("--dtype", default="auto", type=click.Choice(DTYPES), help="As of serve.")
@click.option("--overwrite", is_flag=True, help="Score all files anew.")
def main(checkpoint: Path, workers: int | None, dtype: str, keep: tuple[str, ...], **options: Any) -> None:
    """Label the texts of files by CHECKPOINT on a Ray cluster.

    The cluster is that of RAY_ADDRESS, or a new one on this machine. Its nodes must reach files, checkpoint and output
    under the same names. A call that was stopped goes on when the same command is given again.
    """
    with exit_codes():
        job = Job(checkpoint, Call(keep=keep or None, **options), dtype)
        total, left = len(job.tasks), len(job.left)
        if left < total:
            _say(f"goes on after {count(total - left, 'file')} of an earlier run")
        failed = 0
        if left:
            ray.init(ignore_reinit_error=True, log_to_driver=False)
            # None where an autoscaler has yet to start the first node: it does so for one worker.
            cpus = int(ray.cluster_resources().get("CPU", 0)) or 1
            for done, (file, error) in enumerate(job.run(workers or cpus), total - left + 1):
                failed += bool(error)
                _say(f"{done} of {total}: {file}" + (f": {error}" if error else ""))
        counts = job.counts()
        _say(f"wrote {count(counts.rows, 'row')} to {options['output']}, {counts.bad:,} without a label")
        if failed:
            _say(f"Error: {count(failed, 'file')} could not be scored; the same command tries them again")
        if lost := len(job.left) - failed:
            _say(
                f"Error: {count(lost, 'file')} of output cannot be found in {options['output']}; every node must reach "
                "it under the same name"
            )
        if failed or lost:
            raise SystemExit(RUN_FAILED)


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


if __name__ == "__main__":
    main()

"""Files scored by workers of a cluster: the rows of one process, and a run that goes on."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from app.bulk.errors import BulkError
from app.bulk.run import Call, predict
from app.bulk.store import Store
from benchmarks.lib.shipped import SHIPPED
from model.classifier import Classifier

bulk = pytest.importorskip("app.ray.bulk", reason="Ray is not installed")
pytestmark = [
    pytest.mark.filterwarnings("ignore"),  # of Ray's
    pytest.mark.usefixtures("cluster"),
]

FILES = 3


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Files to score, in the working folder of the call, which is not that of the workers."""
    monkeypatch.chdir(tmp_path)
    for number in range(FILES):
        texts = [f"a {'good' if row % 2 else 'boring'} film {number} {row}" for row in range(50)]
        pq.write_table(pa.table({"id": range(50), "text": texts}), tmp_path / f"{number}.parquet")
    return tmp_path


def label(*options: str) -> Result:
    files = [f"{number}.parquet" for number in range(FILES)]
    arguments = [str(SHIPPED), *files, "--output=out/", "--workers=2", "--scores", *options]
    return CliRunner().invoke(bulk.main, arguments)


def test_rows_are_those_of_one_process_and_a_second_run_scores_what_is_left(folder: Path) -> None:
    done = label()
    assert done.exit_code == 0, done.output
    assert "wrote 150 rows" in done.stderr
    classifier = Classifier.load(SHIPPED, device="cpu", dtype="auto", threads=1)
    for number in range(FILES):
        predict(
            classifier,
            Call([folder / f"{number}.parquet"], f"{folder}/alone.parquet", scores=True, overwrite=True),
            threads=1,
        )
        assert pq.read_table(folder / f"out/00000{number}-{number}.parquet") == pq.read_table(folder / "alone.parquet")

    kept, lost = folder / "out/000000-0.parquet", folder / "out/000001-1.parquet"
    before = kept.stat().st_mtime_ns
    (folder / "out/_000001-1.parquet.json").unlink()  # its worker was lost before it could write the counts
    lost.write_bytes(b"")
    again = label()
    assert again.exit_code == 0, again.output
    assert "goes on after 2 files" in again.stderr
    assert "wrote 150 rows" in again.stderr
    assert pq.read_table(lost).num_rows == 50
    assert kept.stat().st_mtime_ns == before


def test_a_file_that_cannot_be_read_costs_no_other(folder: Path) -> None:
    (folder / "1.parquet").write_bytes(b"PAR1 and no more")
    done = label("--text-column=text")
    assert done.exit_code == 1
    assert "1 file could not be scored" in done.stderr
    assert "1.parquet" in done.stderr
    assert pq.read_table(folder / "out/000002-2.parquet").num_rows == 50


def test_the_output_of_another_call_is_refused(folder: Path) -> None:
    (folder / "out").mkdir()
    (folder / "out/_job.json").write_text("{}")
    done = label()
    assert done.exit_code == 2
    assert "holds the output of another call" in done.stderr


def test_a_new_call_leaves_nothing_of_the_old_one_behind(folder: Path) -> None:
    store = Store(f"{folder}/out/")

    def job(*numbers: int, overwrite: bool = True, form: str | None = None) -> Any:
        files = [folder / f"{number}.parquet" for number in numbers]
        return bulk.Job(SHIPPED, Call(files, store.address + "/", format=form, overwrite=overwrite), "auto")

    for task in job(0, 2, form="csv").tasks:
        for name in (task.name, task.done, f"{task.name}.bad.jsonl"):
            store.write(name, b"{}")
    begun, kept = Store(f"{store.address}/000001-2.csv.parts"), folder / "out/mine.csv"
    begun.make()
    kept.write_text("")
    (folder / "out/_000001-2.csv.json").unlink()
    with pytest.raises(BulkError, match="holds the output of another call"):
        job(0, 2, overwrite=False)  # in another format
    assert len(job(0, 1, 2).left) == FILES
    assert {path.name for path in (folder / "out").iterdir()} == {"_job.json", "mine.csv"}


def test_a_file_to_read_is_not_written_over(folder: Path) -> None:
    with pytest.raises(BulkError, match="is a file to read; write to another folder"):
        bulk.Job(SHIPPED, Call([folder / "0.parquet"], f"{folder}/", overwrite=True), "auto")
    assert (folder / "0.parquet").exists()


def test_what_a_worker_lacks_is_an_answer_for_each_file(folder: Path) -> None:
    batch = {"file": [f"{folder}/0.parquet"], "name": ["0.parquet"]}
    scorer = bulk.FileScorer(f"{folder}/none", Call([], f"{folder}/out/"), "auto")
    assert scorer(batch)["error"] == [f"{folder}/none: there is no such folder"]
    (folder / "out").write_text("")
    scorer = bulk.FileScorer(str(SHIPPED), Call([], f"{folder}/out/", text_column="text"), "auto")
    assert "out" in scorer(batch)["error"][0]


def test_an_unknown_number_format_is_the_callers_fault(folder: Path) -> None:
    done = label("--dtype=int3")
    assert done.exit_code == 2
    assert "'int3' is not one of 'auto'" in done.stderr
    assert not (folder / "out").exists()


def test_a_cluster_without_a_node_is_asked_for_one_worker_and_output_that_is_elsewhere_is_missed(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def run(_: object, workers: int) -> Iterator[tuple[str, str]]:
        asked.append(workers)
        yield "0.parquet", ""

    monkeypatch.setattr(bulk.ray, "cluster_resources", dict)
    monkeypatch.setattr(bulk.Job, "run", run)
    done = CliRunner().invoke(bulk.main, [str(SHIPPED), f"{folder}/0.parquet", f"--output={folder}/out/"])
    assert (done.exit_code, asked) == (1, [1]), done.output
    assert f"1 file of output cannot be found in {folder}/out/; every node must reach it" in done.stderr

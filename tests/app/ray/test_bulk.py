"""Files scored by workers of a cluster: the rows of one process, and a run that goes on."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from app.bulk.run import Call, predict
from benchmarks.lib.shipped import SHIPPED
from model.classifier import Classifier

bulk = pytest.importorskip("app.ray.bulk", reason="Ray is not installed")
pytestmark = [
    pytest.mark.filterwarnings("ignore"),  # of Ray's
    pytest.mark.usefixtures("cluster"),
]

FILES = 3


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number in range(FILES):
        texts = [f"a {'good' if row % 2 else 'boring'} film {number} {row}" for row in range(50)]
        pq.write_table(pa.table({"id": range(50), "text": texts}), tmp_path / f"{number}.parquet")
    return tmp_path


def label(folder: Path, *options: str) -> Result:
    files = [str(folder / f"{number}.parquet") for number in range(FILES)]
    arguments = [str(SHIPPED), *files, f"--output={folder}/out/", "--workers=2", "--scores", *options]
    return CliRunner().invoke(bulk.main, arguments)


def test_rows_are_those_of_one_process_and_a_second_run_scores_what_is_left(folder: Path) -> None:
    done = label(folder)
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
    again = label(folder)
    assert again.exit_code == 0, again.output
    assert "goes on after 2 files" in again.stderr
    assert "wrote 150 rows" in again.stderr
    assert pq.read_table(lost).num_rows == 50
    assert kept.stat().st_mtime_ns == before


def test_a_file_that_cannot_be_read_costs_no_other(folder: Path) -> None:
    (folder / "1.parquet").write_bytes(b"PAR1 and no more")
    done = label(folder, "--text-column=text")
    assert done.exit_code == 1
    assert "1 file could not be scored" in done.stderr
    assert "1.parquet" in done.stderr
    assert pq.read_table(folder / "out/000002-2.parquet").num_rows == 50


def test_the_output_of_another_call_is_refused(folder: Path) -> None:
    (folder / "out").mkdir()
    (folder / "out/_job.json").write_text("{}")
    done = label(folder)
    assert done.exit_code == 2
    assert "holds the output of another call" in done.stderr

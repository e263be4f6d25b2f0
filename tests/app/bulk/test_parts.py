import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from app.bulk.errors import BulkError
from app.bulk.formats import Form
from app.bulk.parts import Finished, Parts
from app.bulk.scoring import Counts
from tables.errors import Row
from tables.reading import BadRow

JOB = {"checkpoint": "a", "files": [["x", 1]]}
ONE = Finished(1, 2, Counts(rows=1, labels={"a": 1}))


def rows(number: int) -> list[pa.RecordBatch]:
    return [pa.RecordBatch.from_pydict({"id": [number]})]


def test_a_file_is_made_of_its_parts(tmp_path: Path) -> None:
    parts = Parts(str(tmp_path / "new" / "out.csv"), Form("csv"))
    assert parts.begin(JOB, overwrite=False) == Finished()
    parts.add(0, [], [BadRow(Path("x"), Row(1, 2), "broken", "{")], Finished(1, 1, Counts(bad=1)), first=True)
    parts.add(1, rows(1), [], ONE, first=True)
    parts.add(2, rows(2), [BadRow(Path("x"), Row(9), "has no text", {"id": 3})], ONE, first=False)
    assert not (tmp_path / "new" / "out.csv").exists()
    parts.finish(Counts())
    assert (tmp_path / "new" / "out.csv").read_text() == '"id"\n1\n2\n'
    assert list(map(json.loads, (tmp_path / "new" / "out.csv.bad.jsonl").read_text().splitlines())) == [
        {"file": "x", "row": 1, "line": 2, "cause": "broken", "content": "{"},
        {"file": "x", "row": 9, "line": None, "cause": "has no text", "content": {"id": 3}},
    ]
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["out.csv", "out.csv.bad.jsonl"]


def test_a_folder_holds_parts_that_are_files_of_their_own(tmp_path: Path) -> None:
    parts = Parts(f"{tmp_path}/out/", Form("csv"))
    parts.begin(JOB, overwrite=False)
    parts.add(0, rows(1), [], ONE, first=True)
    parts.add(1, rows(2), [], ONE, first=False)
    parts.finish(Counts(rows=2))
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["_SUCCESS", "part-000000.csv", "part-000001.csv"]
    assert (tmp_path / "out" / "part-000001.csv").read_text() == '"id"\n2\n'
    assert json.loads((tmp_path / "out" / "_SUCCESS").read_text())["rows"] == 2


@pytest.mark.parametrize("output", ["out.parquet", "out/"])
def test_a_run_goes_on_after_the_last_finished_part(tmp_path: Path, output: str) -> None:
    first = Parts(f"{tmp_path}/{output}", Form("parquet"))
    first.begin(JOB, overwrite=False)
    first.add(0, rows(1), [], ONE, first=True)
    first.add(1, rows(2), [], ONE, first=False)
    folder = tmp_path / (output if output.endswith("/") else f"{output}.parts")
    (folder / "_part-000001.json").unlink()  # killed before it was finished
    again = Parts(f"{tmp_path}/{output}", Form("parquet"))
    assert again.begin(JOB, overwrite=False) == ONE
    again.add(1, rows(3), [], ONE, first=False)
    again.finish(Counts())
    assert pq.read_table(tmp_path / output).column("id").to_pylist() == [1, 3]


def test_parts_of_another_call_are_not_continued(tmp_path: Path) -> None:
    first = Parts(str(tmp_path / "out.csv"), Form("csv"))
    first.begin(JOB, overwrite=False)
    first.add(0, rows(1), [], ONE, first=True)
    other = Parts(str(tmp_path / "out.csv"), Form("csv"))
    with pytest.raises(BulkError, match=r"holds parts of another call \(other checkpoint\)"):
        other.begin({**JOB, "checkpoint": "b"}, overwrite=False)
    assert other.begin({**JOB, "checkpoint": "b"}, overwrite=True) == Finished()


@pytest.mark.parametrize("output", ["out.csv", "out/"])
def test_a_job_without_a_finished_part_is_in_nobodys_way(tmp_path: Path, output: str) -> None:
    first = Parts(f"{tmp_path}/{output}", Form("csv"))
    first.begin(JOB, overwrite=False)
    first.add(0, rows(1), [], ONE, first=True)
    folder = tmp_path / (output if output.endswith("/") else f"{output}.parts")
    (folder / "_part-000000.json").unlink()  # killed before it was finished
    other = Parts(f"{tmp_path}/{output}", Form("csv"))
    assert other.begin({**JOB, "checkpoint": "b"}, overwrite=False) == Finished()
    assert [path.name for path in folder.iterdir()] == ["_job.json"]
    with pytest.raises(BulkError, match="another call has begun to write"):
        first.add(0, rows(1), [], ONE, first=True)
    with pytest.raises(BulkError, match="another call has begun to write"):
        first.finish(Counts())


@pytest.mark.parametrize("output", ["new/out.csv", "out.csv", "out/"])
def test_nothing_stays_of_a_job_that_failed_before_its_first_part(tmp_path: Path, output: str) -> None:
    parts = Parts(f"{tmp_path}/{output}", Form("csv"))
    with pytest.raises(TypeError), parts.running(JOB, overwrite=False):
        raise TypeError
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "notes.txt").write_text("mine")
    parts.begin(JOB, overwrite=False)
    parts.add(0, rows(1), [], ONE, first=True)
    with pytest.raises(TypeError), parts.running(JOB, overwrite=False):
        raise TypeError
    with parts.running(JOB, overwrite=False) as done:
        assert done == ONE


@pytest.mark.parametrize("output", ["out.csv", "out/"])
def test_what_is_complete_is_replaced_only_if_asked(tmp_path: Path, output: str) -> None:
    parts = Parts(f"{tmp_path}/{output}", Form("csv"))
    for overwrite in (False, True):
        assert parts.begin(JOB, overwrite=overwrite) == Finished()
        parts.add(0, rows(1), [], ONE, first=True)
        parts.finish(Counts())
        if not overwrite:
            with pytest.raises(BulkError, match="is there already; choose another name, or --overwrite it"):
                parts.begin(JOB, overwrite=False)
            assert not (tmp_path / "out.csv.parts").exists()


def test_a_file_stays_until_the_new_one_takes_its_place(tmp_path: Path) -> None:
    (tmp_path / "out.csv").write_text("old")
    (tmp_path / "out.csv.bad.jsonl").write_text("old")
    parts = Parts(f"{tmp_path}/out.csv", Form("csv"))
    with pytest.raises(TypeError), parts.running(JOB, overwrite=True):
        raise TypeError
    assert [(tmp_path / name).read_text() for name in ("out.csv", "out.csv.bad.jsonl")] == ["old", "old"]
    with parts.running(JOB, overwrite=True):
        parts.add(0, rows(1), [], ONE, first=True)
        assert (tmp_path / "out.csv").read_text() == "old"
        parts.finish(Counts())
    assert [path.name for path in tmp_path.iterdir()] == ["out.csv"]
    assert (tmp_path / "out.csv").read_text() != "old"


def test_other_files_of_a_folder_stay(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "part-000007.csv").write_text("old")
    Parts(f"{tmp_path}/", Form("csv")).begin(JOB, overwrite=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["_job.json", "notes.txt"]


def test_a_damaged_account_is_another_call(tmp_path: Path) -> None:
    (tmp_path / "out.csv.parts").mkdir()
    (tmp_path / "out.csv.parts" / "_job.json").write_text("{")
    (tmp_path / "out.csv.parts" / "_part-000000.json").write_text('{"parts": 1}')
    with pytest.raises(BulkError, match="holds parts of another call"):
        Parts(str(tmp_path / "out.csv"), Form("csv")).begin(JOB, overwrite=False)


@pytest.mark.parametrize(
    ("output", "file"),
    [
        ("out.csv", "out.csv"),
        ("out.csv", "./sub/../out.csv"),
        ("out/", "out/part-000000.csv"),
        ("out.csv", "out.csv.parts/part-000000.csv"),
        ("out.csv", "out.csv.bad.jsonl"),
        ("out/", "out/_bad.jsonl"),
    ],
)
def test_files_to_read_are_not_written_over(tmp_path: Path, output: str, file: str) -> None:
    parts = Parts(f"{tmp_path}/{output}", Form("csv"))
    parts.check_apart([tmp_path / "in.csv", tmp_path / "out.csv.gz", tmp_path / "outer" / "a.csv"])
    with pytest.raises(BulkError, match="is a file to read; write to another place than"):
        parts.check_apart([tmp_path / "in.csv", tmp_path / file])


@pytest.mark.parametrize("output", ["data/out.csv", "data/out/"])
def test_what_is_written_lies_in_no_folder_to_read(tmp_path: Path, output: str) -> None:
    """The parts of the output would be taken for a part of the input."""
    with pytest.raises(BulkError, match=f"{output} lies in .*/data, which is read; write to another place"):
        Parts(f"{tmp_path}/{output}", Form("csv")).check_apart([tmp_path / "data"])


def test_a_folder_that_is_there_is_one_whatever_its_name(tmp_path: Path) -> None:
    (tmp_path / "scored.v2").mkdir()
    parts = Parts(str(tmp_path / "scored.v2"), Form("csv"))
    with parts.running(JOB, overwrite=False):
        parts.finish(Counts())
    assert [path.name for path in tmp_path.iterdir()] == ["scored.v2"]
    assert [path.name for path in (tmp_path / "scored.v2").iterdir()] == ["_SUCCESS"]


@pytest.mark.parametrize("output", ["-", "/dev/null"])
def test_standard_output_and_devices_are_refused(output: str) -> None:
    with pytest.raises(BulkError, match=f"{output} is no file or folder; --output names one"):
        Parts(output, Form("csv"))


def test_a_name_that_no_account_can_hold_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BulkError, match="is not UTF-8"):
        Parts(f"{tmp_path}/caf\udce9.csv", Form("csv"))

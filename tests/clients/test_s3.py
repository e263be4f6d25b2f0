"""Files of a real S3-compatible server on the loopback: read, listed, written; a run is stopped and goes on."""

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import fs

from app.bulk.errors import BulkError
from app.bulk.run import Call, predict
from app.bulk.windows import WINDOW_ROWS
from tables.errors import TableError
from tables.remote import open_store, remote_files
from tables.sources import files_of
from tests.app.bulk.conftest import Lengths
from tests.clients.conftest import FETCHED

ROWS = 2 * WINDOW_ROWS + 5


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    program = shutil.which("moto_server", path=FETCHED / "bin")
    if program is None:
        pytest.skip("no moto here: `make clients`")
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    log = tmp_path_factory.mktemp("s3") / "log"
    with log.open("wb") as file:
        server = subprocess.Popen([program, "-H", "127.0.0.1", "-p", str(port)], stdout=file, stderr=file)
    try:
        url = f"http://127.0.0.1:{port}"
        for _ in range(300):
            try:
                httpx2.put(f"{url}/bucket", timeout=5).raise_for_status()
                break
            except httpx2.TransportError:
                time.sleep(0.1)
        yield url
    finally:
        server.kill()
        server.wait()


@pytest.fixture
def bucket(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Address of a bucket with two tables in a folder, and other files beside them."""
    for name, value in (
        ("AWS_ENDPOINT_URL", endpoint),
        ("AWS_ACCESS_KEY_ID", "key"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
        ("AWS_DEFAULT_REGION", "us-east-1"),
    ):
        monkeypatch.setenv(name, value)
    store, _ = open_store("s3://bucket")
    pq.write_table(
        pa.table({"id": range(ROWS), "text": ["x" * (row % 9 + 1) for row in range(ROWS)]}),
        "bucket/in/a.parquet",
        filesystem=store,
    )
    with store.open_output_stream("bucket/in/b.csv") as file:
        file.write(b"id,text\n-1,one\n-2,\n-3,three\n")
    with store.open_output_stream("bucket/in/_SUCCESS") as file:
        file.write(b"{}")
    return "s3://bucket"


def names(address: str) -> list[str]:
    store, place = open_store(address)
    return sorted(each.base_name for each in store.get_file_info(fs.FileSelector(place, recursive=True)))


@pytest.mark.parametrize(
    ("what", "found"),
    [
        ("in/b.csv", ["b.csv"]),
        ("in", ["a.parquet", "b.csv"]),
        ("in/*.parquet", ["a.parquet"]),
        ("*/[ab].*", ["a.parquet", "b.csv"]),
    ],
)
def test_a_file_a_folder_or_a_pattern_names_files(bucket: str, what: str, found: list[str]) -> None:
    listed = remote_files(Path(f"{bucket}/{what}"))
    assert [address for address, _, _ in listed] == [f"{bucket}/in/{name}" for name in found]
    assert all(size > 0 and changed > 0 for _, size, changed in listed)


@pytest.mark.parametrize(
    ("what", "cause"),
    [("in/c.csv", "does not exist"), ("in/*.json", "no file is called like this"), ("gone/", "does not exist")],
)
def test_what_is_not_there_is_named_with_its_address(bucket: str, what: str, cause: str) -> None:
    with pytest.raises(TableError, match=rf"^{bucket}/.*: {cause}"):
        remote_files(Path(f"{bucket}/{what}"))


def test_training_asks_for_a_copy(bucket: str) -> None:
    with pytest.raises(TableError, match="everything else wants a copy on this machine"):
        files_of(Path(f"{bucket}/in/b.csv"))


def test_a_stopped_run_between_buckets_ends_as_one_on_this_machine(bucket: str, tmp_path: Path) -> None:
    store, _ = open_store(bucket)
    local = tmp_path / "a.parquet"
    pq.write_table(pq.read_table("bucket/in/a.parquet", filesystem=store), local)
    predict(Lengths(), Call([local], str(tmp_path / "out.parquet"), part_rows=WINDOW_ROWS), threads=1)
    call = Call([Path(f"{bucket}/in/a.parquet")], f"{bucket}/out/scored.parquet", part_rows=WINDOW_ROWS)
    classifier = Lengths()

    def fail(number: int) -> None:
        if number == 2:
            raise RuntimeError("killed")

    classifier.before_score = fail
    with pytest.raises(RuntimeError):
        predict(classifier, call, threads=1)
    assert names(f"{bucket}/out/scored.parquet.parts") == ["_job.json", "_part-000000.json", "part-000000.arrow"]
    said: list[str] = []
    predict(Lengths(), call, threads=2, say=said.append)
    assert said == [f"goes on after {WINDOW_ROWS:,} rows of an earlier run"]
    with store.open_input_stream("bucket/out/scored.parquet") as file:
        assert file.read() == (tmp_path / "out.parquet").read_bytes()
    assert names(f"{bucket}/out") == ["scored.parquet"]


def test_a_folder_of_tables_becomes_a_folder_of_parts(bucket: str) -> None:
    call = Call([Path(f"{bucket}/in/b.csv")], f"{bucket}/parts/", format="jsonl", text_column="text")
    outcome = predict(Lengths(), call, threads=1)
    assert (outcome.counts.rows, outcome.counts.bad) == (2, 1)
    assert names(f"{bucket}/parts") == ["_SUCCESS", "_bad.jsonl", "part-000000.jsonl"]
    with pytest.raises(BulkError, match=r"^s3://bucket/parts/ is there already"):
        predict(Lengths(), call, threads=1)
    predict(Lengths(), replace(call, overwrite=True), threads=1)


def test_a_bucket_that_is_not_there_is_a_sentence(bucket: str) -> None:
    call: Any = Call([Path(f"{bucket}/in/b.csv")], "s3://gone/out.csv")
    with pytest.raises((BulkError, OSError), match="gone"):
        predict(Lengths(), call, threads=1)

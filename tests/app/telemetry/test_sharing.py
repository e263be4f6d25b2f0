import asyncio
import os
import subprocess
import threading
from pathlib import Path

import pytest

from app.core.shared import SharedFolder
from app.telemetry.sharing import SharedSnapshots, write_restarts
from tests.app.conftest import FakeClassifier, make_app, make_settings, running


def test_the_counts_of_the_dead_remain_and_their_gauges_do_not(tmp_path: Path) -> None:
    snapshots = SharedSnapshots(SharedFolder(tmp_path, [0, 0], [0, 0], 1), {"awake"})
    snapshots.write({"eggs": [((), [3.0])], "awake": [((), [1.0])]})
    with subprocess.Popen(["sleep", "60"]) as other:
        (tmp_path / f"{os.getpid()}.json").rename(tmp_path / f"{other.pid}.json")
        assert snapshots.others() == [{"eggs": [((), [3.0])], "awake": [((), [1.0])]}]
        other.kill()
    assert snapshots.others() == [{"eggs": [((), [3.0])]}]


def test_the_parent_tells_how_many_it_has_replaced(tmp_path: Path) -> None:
    assert not write_restarts(SharedFolder(tmp_path / "gone", [1], [0], 0), 1)  # to be tried again
    folder = SharedFolder(tmp_path, [1], [0], 0)
    assert write_restarts(folder, 1)
    assert write_restarts(folder, 2)
    (tmp_path / f"{os.getpid()}.json").rename(tmp_path / f"{2**22 + 1}.json")  # no process has such a number
    assert SharedSnapshots(folder, ()).others() == [{"sluice_worker_restarts": [((), [2.0])]}]


def test_a_full_disk_is_logged_once_and_once_more_when_it_was_not_full_between(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    snapshots, partial = (
        SharedSnapshots(SharedFolder(tmp_path, [0], [0], 0), ()),
        tmp_path / f"{os.getpid()}.json.partial",
    )
    for _ in range(2):
        partial.symlink_to("/dev/full")
        snapshots.write({"eggs": []})
        snapshots.write({"eggs": []})
        partial.unlink()
        snapshots.write({"eggs": []})
    assert [record.__dict__["cause"] for record in caplog.records] == ["No space left on device"] * 2


def test_a_folder_that_is_cleared_while_it_is_read_has_nothing(tmp_path: Path) -> None:
    (tmp_path / "1.json").symlink_to(tmp_path / "gone")
    assert SharedSnapshots(SharedFolder(tmp_path, [0], [0], 0), ()).others() == []


@pytest.mark.anyio
async def test_scrapes_leave_one_snapshot_at_a_time(
    classifier: FakeClassifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The event loop alone writes: it does so from time to time as well."""
    writers = []
    monkeypatch.setattr(SharedFolder, "write_own", lambda *_: writers.append(threading.current_thread()))
    app = make_app(make_settings(), {"sentiment": classifier}, folder=SharedFolder(tmp_path, [0], [0], 0))
    async with running(app) as client:
        scrapes = await asyncio.gather(*(client.get("/metrics") for _ in range(2)))
    assert [scrape.status_code for scrape in scrapes] == [200, 200]
    assert writers == [threading.current_thread()] * 2

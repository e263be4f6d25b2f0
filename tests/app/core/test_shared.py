import subprocess
from pathlib import Path

import pytest

from app.core.shared import SharedFolder


def test_all_loaded_once_every_worker_is(tmp_path: Path) -> None:
    loaded = [0, 0]
    first, second = SharedFolder(tmp_path, loaded, [0, 0], 0), SharedFolder(tmp_path, loaded, [0, 0], 1)
    first.set_loaded()
    assert not first.all_loaded()
    second.set_loaded()
    assert first.all_loaded()


def test_content_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    folder = SharedFolder(tmp_path, [0], [0], 0)
    assert folder.read("plans") is None
    folder.write("plans", b"first")
    (tmp_path / "plans.partial").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left"):
        folder.write("plans", b"second")
    assert folder.read("plans") == b"first"


def test_what_others_show_and_whether_they_run(tmp_path: Path) -> None:
    folder = SharedFolder(tmp_path, [0], [0], 0)
    folder.write_own(b"mine")
    with subprocess.Popen(["sleep", "60"]) as other:
        (tmp_path / f"{other.pid}.json").write_bytes(b"theirs")
        assert list(folder.others()) == [(b"theirs", True)]
        other.kill()
    assert list(folder.others()) == [(b"theirs", False)]


def test_a_number_is_one_for_all_processes(tmp_path: Path) -> None:
    first, second = (SharedFolder(tmp_path, [0, 0], [0, 0], index).number("key") for index in range(2))
    assert second[0] == 0
    first[0] = 2.5
    assert second[0] == 2.5


def test_a_number_that_others_find_elsewhere_has_moved(tmp_path: Path) -> None:
    first, second = (SharedFolder(tmp_path, [0, 0], [0, 0], index) for index in range(2))
    numbers = [first.number("key")]
    assert not first.number_moved("key")
    (tmp_path / "key").unlink()
    assert not first.number_moved("key")  # nobody finds one
    numbers.append(second.number("key"))
    assert first.number_moved("key")
    assert not second.number_moved("key")
    numbers.append(first.number("key"))
    assert not first.number_moved("key")


def test_a_number_has_its_place_on_the_disk_before_it_is_written_to(tmp_path: Path) -> None:
    """A write to mapped memory that finds no place on a full disk is a SIGBUS."""
    SharedFolder(tmp_path, [0], [0], 0).number("key")
    assert (tmp_path / "key").stat().st_blocks > 0


def test_a_full_disk_is_told_where_a_number_is_made(tmp_path: Path) -> None:
    (tmp_path / "key").symlink_to("/dev/full")
    with pytest.raises(OSError, match="make both writable, with room to spare") as error:
        SharedFolder(tmp_path, [0], [0], 0).number("key")
    assert error.value.strerror is not None
    assert error.value.strerror.startswith("No space left")
    assert error.value.filename == str(tmp_path / "key")


def test_the_lock_is_held_by_one_at_a_time(tmp_path: Path) -> None:
    with SharedFolder(tmp_path, [0], [0], 0).locked():
        assert subprocess.run(["flock", "--nonblock", tmp_path, "true"]).returncode == 1
    assert subprocess.run(["flock", "--nonblock", tmp_path, "true"]).returncode == 0

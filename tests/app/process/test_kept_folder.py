import logging
import shutil
from pathlib import Path

import pytest

from app.process.kept_folder import KeptFolder


def _held(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_what_was_seen_is_written_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    kept = KeptFolder(folder)
    for name, content in (("plans", b"old"), ("1.json", b"{}"), ("plans.partial", b"half")):
        (folder / name).write_bytes(content)
    kept.look()
    (tmp_path / "new").write_bytes(b"new")
    (tmp_path / "new").replace(folder / "plans")
    kept.look()
    assert not caplog.records
    shutil.rmtree(folder)
    kept.look()
    assert _held(folder) == {"plans": b"new", "1.json": b"{}"}
    assert folder.stat().st_mode & 0o777 == 0o700
    (folder / "plans").unlink()
    kept.look()
    assert _held(folder) == {"plans": b"new", "1.json": b"{}"}
    assert [record.levelno for record in caplog.records] == [logging.ERROR] * 2
    kept.look()
    assert len(caplog.records) == 2


def test_an_empty_folder_is_made_anew(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    KeptFolder(folder).look()
    assert folder.is_dir()


def test_what_cannot_be_written_is_told_once_and_tried_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    kept = KeptFolder(folder)
    (folder / "plans").write_bytes(b"plans")
    kept.look()
    (folder / "plans").unlink()
    (folder / "restored.partial").symlink_to("/dev/full")
    kept.look()
    kept.look()
    (record,) = caplog.records
    assert record.__dict__["cause"] == "No space left on device"
    (folder / "restored.partial").unlink()
    kept.look()
    assert (folder / "plans").read_bytes() == b"plans"


def test_what_another_wrote_meanwhile_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = KeptFolder(tmp_path)
    (tmp_path / "1.json").write_bytes(b"old")
    kept.look()
    kept._restore({})  # as if the file had come back since the folder was listed
    assert (tmp_path / "1.json").read_bytes() == b"old"
    (tmp_path / "1.json").write_bytes(b"newer")
    kept._restore({})
    assert (tmp_path / "1.json").read_bytes() == b"newer"


def test_nothing_is_written_into_the_folder_of_another_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "plans").write_bytes(b"plans")
    kept = KeptFolder(folder)
    kept.look()
    (folder / "plans").unlink()
    monkeypatch.setattr("os.geteuid", lambda: folder.stat().st_uid + 1)
    kept.look()
    assert _held(folder) == {}

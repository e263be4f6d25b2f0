"""Files that are replaced whole or not at all."""

from pathlib import Path

import pytest

from model.files import replace, replacing


def test_the_content_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    replace(path, b"old\r\n")
    assert path.read_bytes() == b"old\r\n"
    replace(path, "n\u00e9w\n")
    assert path.read_bytes() == "n\u00e9w\n".encode()
    assert list(tmp_path.iterdir()) == [path]


def test_the_old_content_stands_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    replace(path, "old")
    with replacing(path) as partial:
        partial.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"


def test_a_failure_leaves_the_old_content(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    replace(path, "old")
    with pytest.raises(FileNotFoundError), replacing(path):
        pass  # nothing was written
    assert path.read_text() == "old"
    replace(path, "new")
    assert list(tmp_path.iterdir()) == [path]
    (tmp_path / "a.json.partial").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left"):
        replace(path, "newer")
    assert path.read_text() == "new"

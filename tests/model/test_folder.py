"""Folders of files with digests; test_checkpoint.py covers damage to each file of a checkpoint."""

from pathlib import Path

import pytest

from model.errors import CheckpointDamaged, CheckpointError, CheckpointMissing
from model.folder import DIGESTS, as_json, parse_json, read_folder, version_at, version_of, write_folder

FILES = {"a.json": b"{}\n", "b": bytes(range(256))}


def test_a_folder_is_read_as_it_was_written(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "model"
    version = write_folder(folder, FILES)
    contents = read_folder(folder, FILES)
    assert {name: contents[name] for name in FILES} == FILES
    assert version == version_at(folder) == version_of(contents[DIGESTS])
    assert [path.name for path in folder.parent.iterdir()] == ["model"]


def test_the_version_changes_with_any_byte(tmp_path: Path) -> None:
    versions = {write_folder(tmp_path / "m", FILES | {"b": content}) for content in (b"1", b"2", b"")}
    assert len(versions) == 3
    assert all(len(version) == 12 for version in versions)


def test_other_folders_and_files_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.txt").write_text("mine")
    (tmp_path / "file").write_text("mine")
    for path in ("notes", "file"):
        with pytest.raises(CheckpointError, match="exists and is not a checkpoint"):
            write_folder(tmp_path / path, FILES)
    assert (tmp_path / "notes" / "a.txt").read_text() == (tmp_path / "file").read_text() == "mine"
    (tmp_path / "empty").mkdir()
    assert write_folder(tmp_path / "empty", FILES) == version_at(tmp_path / "empty")


def test_a_link_is_followed_and_stays(tmp_path: Path) -> None:
    write_folder(tmp_path / "v1", FILES)
    for link, target in (("current", "v1"), ("next", "v2")):
        (tmp_path / link).symlink_to(target)
        version = write_folder(tmp_path / link, FILES | {"b": b"new"})
        assert (tmp_path / link).is_symlink()
        assert version_at(tmp_path / target) == version
    assert sorted(path.name for path in tmp_path.iterdir()) == ["current", "next", "v1", "v2"]


def test_what_cannot_be_replaced_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CheckpointError, match=r"^\.: is the working folder.*from another folder"):
        write_folder(Path(), FILES)
    (tmp_path / "out").mkdir()
    monkeypatch.setattr(Path, "is_mount", lambda path: path == tmp_path / "out")
    with pytest.raises(CheckpointError, match=r"^out: is where a volume is mounted.*as out/model$"):
        write_folder(Path("out"), FILES)
    assert write_folder(Path("out/model"), FILES) == version_at(tmp_path / "out" / "model")


def test_missing_and_changed_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointMissing, match="there is no such folder"):
        version_at(tmp_path / "m")
    write_folder(tmp_path / "m", FILES)
    with pytest.raises(CheckpointDamaged, match="has no digest of c"):
        read_folder(tmp_path / "m", ["c"])
    (tmp_path / "m" / "b").write_bytes(b"changed")
    assert read_folder(tmp_path / "m", ["a.json"])["a.json"] == b"{}\n"
    with pytest.raises(CheckpointDamaged, match="b: is not the file that was saved"):
        read_folder(tmp_path / "m", ["b"])


def test_json_is_an_object_of_finite_numbers() -> None:
    assert as_json({"é": 1}) == '{\n  "é": 1\n}\n'.encode()
    with pytest.raises(ValueError, match="not JSON compliant"):
        as_json({"a": float("nan")})
    assert parse_json(Path("a.json"), b'{"a": 1}') == {"a": 1}
    for content, cause in ((b"{", "is not JSON"), (b"[]", "is not a JSON object")):
        with pytest.raises(CheckpointDamaged, match=f"a.json: {cause}"):
            parse_json(Path("a.json"), content)

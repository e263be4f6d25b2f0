from pathlib import Path

import pytest

from app.bulk.errors import BulkError
from app.bulk.store import Store


def test_a_file_is_there_when_it_is_whole(tmp_path: Path) -> None:
    store = Store(str(tmp_path / "out"))
    assert store.names() == set()
    store.make()
    with store.writing("a") as file:
        file.write(b"one")
        assert store.names() == set()
        assert not store.has("a")
    assert store.names() == {"a"}
    assert store.read("a") == b"one"


def test_a_file_whose_writing_failed_stays_as_it_was(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    store.write("a", b"old")
    with pytest.raises(TypeError), store.writing("a") as file:
        file.write([b"new", object()])
    assert store.read("a") == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_what_is_not_there_can_be_removed(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    store.write("a", b"one")
    store.remove("b")
    Store(str(tmp_path / "gone")).remove_all()
    assert store.names() == {"a"}
    store.remove("a")
    assert store.names() == set()
    store.remove_all()
    assert not tmp_path.exists()


def test_an_address_that_cannot_be_used_is_a_sentence() -> None:
    with pytest.raises(BulkError, match="hdfs://nowhere:1/out: cannot be reached"):
        Store("hdfs://nowhere:1/out/")

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import pyarrow as pa
import pytest

import tables.hub
from tables.errors import TableError
from tables.hub import hub_files
from tables.reader import read_columns
from tests.tables.samples import BOTH, write


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    tables.hub._load.cache_clear()
    yield
    tables.hub._load.cache_clear()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data set that is found by its path, as others are by their name on the Hub."""
    datasets = pytest.importorskip("datasets", reason="the library datasets is not installed")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    datasets.disable_progress_bars()
    (tmp_path / "set").mkdir()
    write(tmp_path / "set" / "train.csv", 'text,label\nGood,pos\n"Bad,\nreally",neg\n')
    write(tmp_path / "set" / "test.csv", "text,label\nFine,pos\n")
    return tmp_path / "set"


def test_a_data_set_is_read_by_its_name_and_split(folder: Path) -> None:
    texts, labels = read_columns(Path(f"hf:{folder}"), BOTH)
    assert (texts.values, labels.values) == (["Good", "Bad,\nreally"], ["pos", "neg"])
    assert texts.readings[0].describe() == f"hf:{folder}: 2 rows; Hugging Face data set"
    assert read_columns(Path(f"hf:{folder}:test"), ["text"])[0].values == ["Fine"]
    assert [path.suffix for _, path in hub_files(Path(f"hf:{folder}"))] == [".arrow"]
    with pytest.raises(TableError, match=rf"^hf:{folder}:dev: cannot be loaded: Unknown split"):
        read_columns(Path(f"hf:{folder}:dev"), BOTH)
    with pytest.raises(TableError, match="no column 'stars'; the file has") as caught:
        read_columns(Path(f"hf:{folder}:test"), ["label", "stars"])
    assert caught.value.path == Path(f"hf:{folder}:test")


def test_a_name_of_too_many_parts_is_refused(folder: Path) -> None:
    with pytest.raises(TableError, match="is not of the form hf:NAME, hf:NAME:SPLIT or"):
        read_columns(Path("hf:a:b:c:d"), BOTH)


def test_the_library_is_named_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(TableError, match=r"^hf:imdb: needs the library datasets.*pip install datasets"):
        read_columns(Path("hf:imdb"), BOTH)


class _Stub:
    """As much of a data set of `datasets` as is used, with three rows."""

    column_names: ClassVar = ["idx", "label", "text"]
    cache_files: ClassVar = [{"filename": "/cache/a.arrow"}]

    def with_format(self, name: str) -> "_Stub":
        assert name == "arrow"
        return self

    def iter(self, *, batch_size: int) -> Iterator[pa.Table]:
        about = {"info": {"features": {"label": {"names": ["neg", "pos"], "_type": "ClassLabel"}}}}
        whole = pa.table({"idx": [0, 1, 2], "label": [1, 0, -1], "text": ["a", "b", "c"]})
        whole = whole.replace_schema_metadata({"huggingface": json.dumps(about)})
        return (whole.slice(start, batch_size) for start in range(0, 3, batch_size))


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("hf:imdb", ("imdb", None, "train")),
        ("hf:org/imdb:test", ("org/imdb", None, "test")),
        ("hf:glue:sst2:validation", ("glue", "sst2", "validation")),
    ],
)
def test_a_name_says_configuration_and_split(
    monkeypatch: pytest.MonkeyPatch, name: str, asked: tuple[str, str | None, str]
) -> None:
    calls = []

    def load_dataset(path: str, configuration: str | None, *, split: str) -> _Stub:
        calls.append((path, configuration, split))
        return _Stub()

    monkeypatch.setitem(sys.modules, "datasets", SimpleNamespace(load_dataset=load_dataset))
    texts, labels = read_columns(Path(name), BOTH)
    assert (texts.values, labels.values) == (["a", "b", "c"], ["pos", "neg", None])
    assert hub_files(Path(name)) == [("a.arrow", Path("/cache/a.arrow"))]
    assert calls == [asked]  # loaded once
    assert str(labels.error(2, "is no good")) == f"{name}, row 3, column 'label': is no good"

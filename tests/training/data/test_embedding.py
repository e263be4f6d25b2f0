from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from model.classifier import Classifier
from model.vectors import embed
from tables.batch import BATCH_ROWS
from tables.errors import MissingColumnError, TableError
from training.data.embedding import Embedded, embed_files
from training.data.sentence_vectors import VectorFile, VectorSource
from training.errors import DataError, UsageError

SOURCE = VectorSource("tiny", "1")


@pytest.fixture(scope="module")
def model(tiny_checkpoint: Path) -> Classifier:
    return Classifier.load(tiny_checkpoint, device="cpu")


def vectors_of(path: Path) -> np.ndarray:
    column = pq.read_table(path)["vector"].combine_chunks()
    return column.flatten().to_numpy().reshape(-1, column.type.list_size)  # type: ignore[no-any-return]


def test_rows_of_several_files_keep_their_order_and_columns(model: Classifier, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,text\n7,a good film\n8,\n9,难看的电影\n", encoding="utf-8")
    (tmp_path / "b.jsonl").write_text('{"id": 10, "text": "a bad film"}\n{"id": [1], "text": null}\n')
    output = tmp_path / "out.parquet"
    reports: list[int] = []
    done = embed_files(
        model, SOURCE, [tmp_path / "a.csv", tmp_path / "b.jsonl"], output,
        text_column="text", keep=["id"], report=lambda progress: reports.append(progress.rows),
    )  # fmt: skip
    table = pq.read_table(output)
    assert table.column_names == ["text", "id", "vector"]
    assert table["text"].to_pylist() == ["a good film", None, "难看的电影", "a bad film", None]
    assert table["id"].to_pylist() == ["7", "8", "9", "10", "[1]"]
    wanted = embed(model, ["a good film", "", "难看的电影", "a bad film", ""])
    np.testing.assert_allclose(vectors_of(output), wanted, atol=1e-6)
    assert (done.rows, reports) == (5, [3, 5])
    named = {path.name: str(places) for path, places in done.without.items()}
    assert named == {"a.csv": "row 2 (line 3)", "b.jsonl": "row 2 (line 2)"}


def test_a_large_file_comes_in_batches_and_can_be_read_again(model: Classifier, tmp_path: Path) -> None:
    texts = [f"a film of {number % 3}" for number in range(BATCH_ROWS + 5)]
    pq.write_table(pa.table({"text": texts, "stars": [1.5] * len(texts)}), tmp_path / "in.parquet")
    output = tmp_path / "out.parquet"
    progress: list[Embedded] = []
    embed_files(
        model, SOURCE, [tmp_path / "in.parquet"], output, text_column="text", keep=["stars"], report=progress.append
    )
    assert len(progress) == 2
    assert pq.read_table(output)["stars"].type == pa.float64()
    file = VectorFile.open(output, text_column="text")
    assert (file.source, file.width, file.rows) == (SOURCE, 36, len(texts))


def test_columns_are_found_in_each_file_and_several_are_joined(model: Classifier, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,title,body\n1,Late,my parcel is late\n2,,where is it now\n3,,\n")
    (tmp_path / "b.csv").write_text("id,message\n4,the box was open\n5,no one came to the door\n")
    files, output = [tmp_path / "a.csv", tmp_path / "b.csv"], tmp_path / "out.parquet"
    done = embed_files(model, SOURCE, files[:1], output, text_column="title,body", keep=["title"])
    table = pq.read_table(output)
    assert table.column_names == ["text", "title", "vector"]
    assert table["text"].to_pylist() == ["Late\nmy parcel is late", "where is it now", None]
    assert [str(places) for places in done.without.values()] == ["row 3 (line 4)"]
    embed_files(model, SOURCE, files[::-1], output, text_column=None, keep=["id", "text"])
    assert pq.read_table(output).column_names == ["text", "id", "vector"]
    with pytest.raises(UsageError, match="'text' is what the joined texts are written as"):
        embed_files(model, SOURCE, files[:1], output, text_column="title,body", keep=["text"])


def test_a_folder_of_tables_names_the_file_of_a_row(model: Classifier, tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "1.csv").write_text("id,text\n1,a film\n")
    (tmp_path / "parts" / "2.csv").write_text("id,text\n2,\n3,another\n")
    done = embed_files(model, SOURCE, [tmp_path / "parts"], tmp_path / "out.parquet", text_column="text")
    assert {path.name: str(places) for path, places in done.without.items()} == {"parts": "2.csv row 1 (line 2)"}
    with pytest.raises(UsageError, match="is a file to read"):
        embed_files(model, SOURCE, [tmp_path / "parts"], tmp_path / "parts" / "2.csv", text_column="text")


def test_what_is_wrong_is_named_and_nothing_is_written(model: Classifier, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text,vector\na film,1\n")
    (tmp_path / "b.jsonl").write_text('{"text": "x"}\n{"text": {"a": 1}}\n')
    (tmp_path / "empty.csv").write_text("text\n")
    pq.write_table(pa.table({"text": ["x"], "n": pa.array([1], pa.int64())}), tmp_path / "int.parquet")
    pq.write_table(pa.table({"text": ["x"], "n": pa.array([[1]])}), tmp_path / "list.parquet")
    output = tmp_path / "out.parquet"

    def made(*names: str, keep: tuple[str, ...] = (), to: Path = output) -> None:
        embed_files(model, SOURCE, [tmp_path / name for name in names], to, text_column="text", keep=keep)

    with pytest.raises(UsageError, match="'vector' is the column that is written"):
        made("a.csv", keep=("vector",))
    with pytest.raises(UsageError, match="is a file to read"):
        made("a.csv", to=tmp_path / "a.csv")
    with pytest.raises(MissingColumnError, match="no column 'stars'"):
        made("a.csv", keep=("stars",))
    with pytest.raises(TableError, match=r"b\.jsonl, row 2 \(line 2\), column 'text': expected text, found dict"):
        made("b.jsonl")
    with pytest.raises(DataError, match="has no rows"):
        made("empty.csv")
    with pytest.raises(DataError, match=r"list\.parquet, column 'n': holds list<.*>, but int64 in the file before"):
        made("int.parquet", "list.parquet", keep=("n",))
    assert not output.exists()

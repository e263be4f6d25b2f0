import csv
from pathlib import Path

import pyarrow.parquet as pq
from click.testing import Result

from tables.reader import read_columns
from tests.training.cli.commands import call


def test_texts_are_chosen_with_their_rows(trained: tuple[Path, Result], reviews: Path, tmp_path: Path) -> None:
    output = tmp_path / "next.csv"
    common = ("choose", reviews / "train.csv", "--checkpoint", trained[0], "--device", "cpu", "--count", 5)
    result = call(*common, "--output", output)
    assert result.exit_code == 0, result.output
    assert f"wrote 5 of {len({*texts_of(reviews)}):,} distinct texts to {output}" in result.output
    with output.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["text", "label", "file", "row", "predicted", "uncertainty"]
    texts = texts_of(reviews)
    assert [texts[int(row["row"]) - 1] for row in rows] == [row["text"] for row in rows]
    assert {row["label"] for row in rows} == {""}
    again = call(*common, "--output", tmp_path / "more.parquet", "--but-not", output)
    assert again.exit_code == 0, again.output
    table = pq.read_table(tmp_path / "more.parquet")
    assert not {row["text"] for row in rows} & set(table["text"].to_pylist())
    assert table["label"].null_count == 5
    none = call(*common, "--output", tmp_path / "none.csv", "--but-not", reviews / "train.csv")
    assert (none.exit_code, "every text has a label already" in none.output) == (2, True)


def test_labels_that_a_person_has_filled_in_are_not_lost(tmp_path: Path) -> None:
    source, output = tmp_path / "texts.csv", tmp_path / "first.csv"
    source.write_text("text\na good film\na bad film\n", encoding="utf-8")
    filled = "text,label,file,row\na good film,good,texts.csv,1\na bad film,,texts.csv,2\n"
    output.write_text(filled, encoding="utf-8")
    result = call("choose", source, "--count", 1, "--output", output)
    assert (result.exit_code, f"{output} has labels already (1), which would be lost" in result.output) == (2, True)
    assert output.read_text(encoding="utf-8") == filled


def texts_of(reviews: Path) -> list[str]:
    (column,) = read_columns(reviews / "train.csv", ["text"])
    return [str(value) for value in column.values]


def test_without_a_checkpoint_typical_texts_are_chosen(tmp_path: Path) -> None:
    kinds = [f"The {thing} was {word}." for thing in ("film", "meal", "train") for word in ("good", "late", "red")]
    source, output = tmp_path / "texts.csv", tmp_path / "first.csv"
    source.write_text("text\n" + "\n".join(kinds) + "\n", encoding="utf-8")
    result = call("choose", source, "--count", 3, "--output", output, "--device", "cpu")
    assert result.exit_code == 0, result.output
    with output.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["text", "label", "file", "row"]
    assert {kinds[int(row["row"]) - 1] for row in rows} == {row["text"] for row in rows}
    assert len({row["text"] for row in rows}) == 3
    source.write_text("text\nОчень плохое качество, деньги на ветер\n", encoding="utf-8")
    refused = call("choose", source, "--output", output)
    assert (refused.exit_code, "name the result as --checkpoint" in refused.output) == (2, True)

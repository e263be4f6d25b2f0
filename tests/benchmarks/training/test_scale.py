from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.training.scale import recombined, write

ROWS = pa.table({"text": [f"{label} one two three four" for label in "abab"], "label": ["x", "y", "x", "y"]})


def test_texts_are_of_two_rows_of_one_label() -> None:
    made = recombined(ROWS, 50, 4, seed=0)
    assert len(made) == 50
    for text, label in zip(made["text"].to_pylist(), made["label"].to_pylist(), strict=True):
        words = text.split()
        assert words[0] == {"x": "a", "y": "b"}[label]
        assert words[-1] == "four"
        assert len(words) == 4
    assert recombined(ROWS, 50, 4, seed=0) == made
    assert recombined(ROWS, 50, 4, seed=1) != made


def test_a_file_has_as_many_rows_as_asked_for(tmp_path: Path) -> None:
    pq.write_table(ROWS, tmp_path / "rows.parquet")
    write(tmp_path / "rows.parquet", tmp_path / "made.parquet", count=70, num_words=4)
    assert pq.read_metadata(tmp_path / "made.parquet").num_rows == 70

"""Sentences are cut out of texts, each once, and none that is held out."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from training.__main__ import main
from training.data.sentences import SentenceCounts, sentences, write_sentences
from training.errors import UsageError


def _write(path: Path, *texts: str) -> Path:
    path.write_text("text\n" + "".join(f'"{text}"\n' for text in texts), encoding="utf-8")
    return path


def _cut(
    files: list[Path], output: Path, *, without: tuple[Path, ...] = (), limit: int | None = None
) -> SentenceCounts:
    return write_sentences(
        files, output, without=without, min_words=3, max_words=6, limit=limit, seed=1, text_column="text"
    )


def _texts(path: Path) -> list[str]:
    texts: list[str] = pq.read_table(path)["text"].to_pylist()
    return texts


def test_marks_and_chinese_characters_count_and_markup_ends_a_line() -> None:
    texts = ["Good one!<BR />It ran far too long for me, and then some. 很好。不好看。", "Mr. X was fine ."]
    assert list(sentences(texts, min_words=3, max_words=6)) == ["Good one!", "很好。", "不好看。", "Mr. X was fine ."]


def test_each_sentence_once_and_none_that_is_held_out(tmp_path: Path) -> None:
    first = _write(tmp_path / "a.csv", "I liked it. Quite a film! Short.", "I LIKED IT! A very fine cast.")
    second = _write(tmp_path / "b.csv", "Quite a film. The end of it.")
    test = _write(tmp_path / "test.csv", "He says: a very fine cast.", "So dull. A very fine cast!")
    assert _cut([first, second], tmp_path / "out.parquet", without=(test,)) == SentenceCounts(
        texts=3, fitting=3, written=3
    )
    assert _texts(tmp_path / "out.parquet") == ["I liked it.", "Quite a film!", "The end of it."]


def test_a_draw_is_the_same_for_the_same_seed_and_keeps_the_order(tmp_path: Path) -> None:
    numbers = [f"film number {n} now." for n in range(100)]
    path = _write(tmp_path / "a.csv", *numbers)
    assert _cut([path], tmp_path / "1.parquet", limit=10) == SentenceCounts(texts=100, fitting=100, written=10)
    _cut([path], tmp_path / "2.parquet", limit=10)
    drawn = _texts(tmp_path / "1.parquet")
    assert drawn == _texts(tmp_path / "2.parquet")
    assert len(set(drawn)) == 10
    assert drawn == [text for text in numbers if text in set(drawn)] != numbers[:10]


def test_nothing_that_fits_is_told(tmp_path: Path) -> None:
    path = _write(tmp_path / "a.csv", "Short.")
    with pytest.raises(UsageError, match=r"no sentence of 3 to 6 words in .*a\.csv"):
        _cut([path], tmp_path / "out.parquet")
    assert not (tmp_path / "out.parquet").exists()


def test_the_command(tmp_path: Path) -> None:
    path, output = _write(tmp_path / "a.csv", "I liked it a lot. Bad."), tmp_path / "new" / "out.parquet"
    run = CliRunner().invoke(main, ["sentences", str(path), "--output", str(output)])
    assert run.exit_code == 0, run.output
    assert f"wrote 1 of 1 fitting sentences in 1 texts to {output}" in run.output
    assert _texts(output) == ["I liked it a lot."]
    wrong = CliRunner().invoke(main, ["sentences", str(path), "--min-words", "9", "--max-words", "8", "--output", "x"])
    assert wrong.exit_code == 2
    missing = CliRunner().invoke(main, ["sentences", str(tmp_path / "none.csv"), "--output", str(output)])
    assert (missing.exit_code, "none.csv" in missing.output) == (2, True)

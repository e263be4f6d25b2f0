import sys
from pathlib import Path

import pytest

from benchmarks.training import tokens
from tables.parquet import write_parquet


def test_both_pipelines_read_the_same_texts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_parquet(tmp_path / "zh.parquet", {"text": ["这部电影很好看"] * 40})
    monkeypatch.setattr(tokens, "HELD_OUT", 10)
    monkeypatch.setattr(sys, "argv", ["tokens", str(tmp_path / "zh.parquet"), "--vocab-size", "600"])
    tokens.main()
    before, characters, words = capsys.readouterr().out.splitlines()[2:]
    assert before.startswith("| zh.parquet | until November 2026 | 7.0 | 7.0 | ")
    assert characters.startswith("| zh.parquet | Chinese characters | 7.0 | 7.0 | ")
    assert words.startswith("| zh.parquet | Chinese words | 7.0 | 1.0 | ")

"""Strings of every kind are compared, and a difference ends the run."""

from pathlib import Path

import pytest
from click import ClickException
from click.testing import CliRunner
from tokenizers import Tokenizer

from benchmarks.engine import tokens
from benchmarks.lib import made_strings
from benchmarks.lib.shipped import SHIPPED
from model.checkpoint import TOKENIZER
from model.native_text import NativeText, library
from model.tokenizer import build_tokenizer, first_tokenizer, recognise, train_vocabulary

if library() is None:
    pytest.skip("the library is not built: python -m model.engine.build", allow_module_level=True)


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(made_strings, "BLOCK", 64)


def test_each_kind_is_compared_and_counted(tmp_path: Path) -> None:
    texts = tmp_path / "texts.txt"
    texts.write_text("It's a good film.\n这部电影很好看。\nCafe\u0301\n", encoding="utf-8")
    train_vocabulary(build_tokenizer(), ["a good film", "很好"], vocab_size=600, min_frequency=1).save(
        str(tmp_path / TOKENIZER)
    )
    options = ["--count", "768", "--checkpoint", str(tmp_path)]
    whole = CliRunner().invoke(tokens.main, [str(texts), *options], catch_exceptions=False).output
    assert f"{texts}: 3 strings, 1 (33.333%) left to the reference" in whole
    for kind, number in [("characters", 256), ("cuttings", 128), ("mutated", 128), ("vocabulary", 128), ("marks", 128)]:
        assert f"{kind}: {number} strings" in whole
    assert "771 strings" in whole.splitlines()[-1]
    part = CliRunner().invoke(tokens.main, [*options, "--shard", "2/4"], catch_exceptions=False).output
    assert "192 strings" in part.splitlines()[-1]


def test_a_difference_ends_the_run() -> None:
    first, other = Tokenizer.from_file(str(SHIPPED / TOKENIZER)), first_tokenizer()
    pipeline = recognise(first)
    assert pipeline is not None
    native = NativeText.of(first, pipeline)
    assert native is not None
    first.normalizer = other.normalizer
    run = tokens.Run(native, first, max_tokens=8)
    run.compare("same", ["a good film", "很好"])
    with pytest.raises(ClickException, match="goooood"):
        run.compare("different", ["a good film", "goooood"])
    with pytest.raises(ClickException, match=r"!!!!"):
        run.compare("truncated", ["!!!!" + " a" * 7])

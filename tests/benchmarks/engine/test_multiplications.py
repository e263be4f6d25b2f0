import re
from pathlib import Path

from benchmarks.engine.multiplications import MINILM, TOKENS, of_lstm, of_transformer
from model.checkpoint import load_checkpoint

ROOT = Path(__file__).resolve().parents[3]


def test_the_readme_gives_the_counts_of_the_shipped_model_and_of_minilm() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    said = re.search(r"costs the shipped model ([\d.]+) million multiplications;\s[^;]*,\s([\d.]+)\s*million", readme)
    assert said is not None
    architecture = load_checkpoint(ROOT / "checkpoints/sentiment").config.architecture
    counted = f"{of_lstm(architecture) / 1e6:.1f}", f"{of_transformer(MINILM, TOKENS) / 1e6:.0f}"
    assert said.groups() == counted

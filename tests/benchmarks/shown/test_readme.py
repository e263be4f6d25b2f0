from pathlib import Path

import pytest

from benchmarks.shown.readme import blocks, read_figures
from model.checkpoint import load_checkpoint
from tests.conftest import make_checkpoint

SHIPPED = Path(__file__).resolve().parents[3] / "checkpoints" / "sentiment"


def test_the_figures_are_those_of_the_shipped_checkpoint() -> None:
    assert read_figures().version == load_checkpoint(SHIPPED).version, "measure it again: benchmarks/shown/readme.py"


@pytest.mark.parametrize("language", ["en", "zh"])
def test_blocks_hold_the_figures(language: str) -> None:
    found, figures = blocks(make_checkpoint(), language), read_figures()
    assert f"{100 * figures.sets['sst2'].two.accuracy:.1f}" in found["accuracy"]
    assert figures.split in found["accuracy"]
    facts = [one for one in figures.capabilities if one.name.endswith("/neutral facts")]
    neutral = 1 - sum(one.failed for one in facts) / sum(one.cases for one in facts)
    assert f"{100 * neutral:.0f}%" in found["accuracy"]
    assert "0.0" in found["cost"] or " 0 " in found["cost"]  # a network of 6 units

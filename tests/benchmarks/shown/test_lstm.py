from pathlib import Path

import numpy as np
import pytest

from benchmarks.shown.lstm import blocks, gates_table, parameters, story
from examples.gates import Traced
from model.checkpoint import load_checkpoint
from tests.conftest import make_checkpoint

ROOT = Path(__file__).resolve().parents[3]


def traced(tokens: str, **states: list[float]) -> Traced:
    columns = {name: np.array(values, dtype=np.float32)[:, None] for name, values in states.items()}
    return Traced("positive", 0.9, tokens.split(), columns)


PLAIN = traced("was good .", forget=[0.5, 0.5, 0.5], input=[0.5, 0.9, 0.5], candidate=[0, 0.2, 0], cell=[0, 0.6, 0.7])
NEGATED = traced(
    "was not good .",
    forget=[0.5, 0.5, 0.6, 0.5],
    input=[0.5, 0.5, 0.1, 0.5],
    candidate=[0, 0.3, -0.1, 0],
    cell=[0, 0.1, -0.2, -0.3],
)


def test_the_story_is_that_of_the_quantity_that_differs_most() -> None:
    english = story(PLAIN, NEGATED, 0, "en")
    assert "goes from +0.00 to +0.10" in " ".join(english.split())
    assert "its input gate differs most: 0.90" in " ".join(english.split())
    assert max(map(len, english.splitlines())) <= 100
    assert "输入门：没有" in story(PLAIN, NEGATED, 0, "zh")


def test_the_plain_text_has_no_value_at_the_negation() -> None:
    rows = gates_table(PLAIN, NEGATED, 0, "en").splitlines()
    assert rows[0] == "| unit 0 | | was | not | good | . |"
    assert '| input | without "not" | 0.50 | | 0.90 | 0.50 |' in rows
    assert len({row.count("|") for row in rows}) == 1


@pytest.mark.parametrize("labels", [("negative", "positive"), ("negative", "neutral", "positive")])
def test_parameters_add_up_for_any_number_of_labels(labels: tuple[str, ...]) -> None:
    checkpoint = make_checkpoint(labels=labels)
    total = sum(tensor.size for tensor in checkpoint.weights.values())
    table = parameters(checkpoint, "en")
    assert f"| all | | {total:,} |" in table
    assert f"| head | {len(labels)} labels" in table


def test_both_languages_have_the_same_blocks() -> None:
    checkpoint = load_checkpoint(ROOT / "checkpoints" / "sentiment")
    assert blocks(checkpoint, "en").keys() == blocks(checkpoint, "zh").keys()

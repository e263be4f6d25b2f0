"""The card of a pre-training: its folder's `README.md`, written from its record so that the two cannot disagree."""

from pathlib import Path

from training.artifacts.template import render
from training.language_model.folder import PretrainedConfig, PretrainRecord

TEMPLATE = Path(__file__).parent / "encoder_card.md.jinja"


def write_encoder_card(name: str, folder: PretrainedConfig, record: PretrainRecord) -> str:
    """The card as Markdown: what was learned, the data, limits, and how to make the folder again."""
    return render(TEMPLATE, name=name, folder=folder, record=record)

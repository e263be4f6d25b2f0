"""Requests for a pre-training: the options of pretrain as one configuration."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from training.config.config import build, flatten, nest, parse_settings
from training.config.request import AnyRequest, Call, Option, each_file
from training.language_model.config import PretrainConfig


class PretrainRequest(AnyRequest):
    """A pre-training that was asked for."""

    config: PretrainConfig

    def published_settings(self) -> dict[str, object]:
        """Every setting by dotted key, files without their folders."""
        settings = flatten(self.config)
        for key in ("texts", "without", "vocabulary"):
            settings[key] = each_file(settings[key], lambda file: Path(file).name)
        return settings


@dataclass(frozen=True, slots=True, kw_only=True)
class PretrainOptions(Call):
    """The options of pretrain: files of texts to learn from, to leave out, and for the tokenizer alone."""

    command: str = "pretrain"
    texts: Annotated[tuple[Path, ...], Option("", "texts")] = ()
    without: Annotated[tuple[Path, ...], Option("--without", "without")] = ()
    vocabulary: Annotated[tuple[Path, ...], Option("--vocabulary", "vocabulary")] = ()
    text_column: Annotated[str | None, Option("--text-column", "text_column")] = None
    settings: Annotated[tuple[str, ...], Option("--set")] = ()
    seed: Annotated[int | None, Option("--seed", "seed")] = None

    @property
    def names_data(self) -> bool:
        """A file of texts is named."""
        return bool(self.texts)

    def request(self) -> PretrainRequest:
        """The request of this call; see `Call.request`."""
        config = build(PretrainConfig, parse_settings(self.settings), nest(self.shorthands()))
        return PretrainRequest(config=config, command=self.repeated())

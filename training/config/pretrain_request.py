"""Requests for a pre-training: the options of pretrain as one configuration."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from training.config.config import build, flatten, nest, parse_settings
from training.config.layers import each_file
from training.config.request import AnyRequest, Call, Option
from training.data.tokenizer import read_tokenizer, settings_of
from training.errors import UsageError
from training.language_model.config import PretrainConfig


class PretrainRequest(AnyRequest):
    """A pre-training that was asked for."""

    config: PretrainConfig

    def published_settings(self) -> dict[str, object]:
        """Every setting by dotted key, files without their folders."""
        settings = flatten(self.config)
        for key in ("texts", "without", "vocabulary", "fixed_tokenizer", "vectors.files"):
            settings[key] = each_file(settings[key], lambda file: Path(file).name)
        return settings


@dataclass(frozen=True, slots=True, kw_only=True)
class PretrainOptions(Call):
    """The options of pretrain: files of texts to learn from, to leave out, and for the tokenizer alone."""

    command: str = "pretrain"
    texts: Annotated[tuple[Path, ...], Option("", "texts")] = ()
    without: Annotated[tuple[Path, ...], Option("--without", "without")] = ()
    vocabulary: Annotated[tuple[Path, ...], Option("--vocabulary", "vocabulary")] = ()
    tokenizer: Annotated[Path | None, Option("--tokenizer", "fixed_tokenizer")] = None
    vectors: Annotated[tuple[Path, ...], Option("--vectors", "vectors.files")] = ()
    text_column: Annotated[str | None, Option("--text-column", "text_column")] = None
    settings: Annotated[tuple[str, ...], Option("--set")] = ()
    seed: Annotated[int | None, Option("--seed", "seed")] = None

    @property
    def names_data(self) -> bool:
        """A file of texts is named."""
        return bool(self.texts)

    def request(self) -> PretrainRequest:
        """The request of this call; see `Call.request`."""
        options = [parse_settings(self.settings), nest(self.shorthands())]
        config = build(PretrainConfig, *options, listed_by="settings --pretrain")
        if config.fixed_tokenizer is not None:
            config = _with_tokenizer(Path(config.fixed_tokenizer), options)
        return PretrainRequest(config=config, command=self.repeated())


def _with_tokenizer(path: Path, options: Sequence[dict[str, Any]]) -> PretrainConfig:
    """The configuration of `options`, with what the tokenizer at `path` shows of itself.

    Raises:
        UsageError: an option contradicts it, or it cannot be read.
    """
    shown = settings_of(read_tokenizer(path))
    config = build(PretrainConfig, {"tokenizer": shown}, *options, listed_by="settings --pretrain")
    for key, value in shown.items():
        if (found := getattr(config.tokenizer, key)) != value:
            raise UsageError(f"tokenizer.{key}={found}, but the tokenizer {path} has {value}; leave the setting out")
    return config

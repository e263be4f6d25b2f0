"""Requests for a pre-training: the options of pretrain as one configuration."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.config.config import build, parse_settings
from training.config.request import AnyRequest, Call, option_words
from training.language_model.config import PretrainConfig


class PretrainRequest(AnyRequest):
    """A pre-training that was asked for."""

    config: PretrainConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class PretrainOptions(Call):
    """The options of pretrain: files of texts to learn from, to leave out, and for the tokenizer alone."""

    command: str = "pretrain"
    texts: tuple[Path, ...] = ()
    without: tuple[Path, ...] = ()
    vocabulary: tuple[Path, ...] = ()

    @property
    def names_data(self) -> bool:
        """A file of texts is named."""
        return bool(self.texts)

    def words(self) -> list[str]:
        """The arguments as on a command line, files without their folders."""
        options = option_words(
            ("--without", self.without),
            ("--vocabulary", self.vocabulary),
            ("--text-column", self.text_column),
            ("--set", self.settings),
            ("--seed", self.seed),
        )
        return [file.name for file in self.texts] + options

    def request(self) -> PretrainRequest:
        """The request of this call; see `new_request`."""
        return new_request(self)


def new_request(call: PretrainOptions) -> PretrainRequest:
    """The request of a call: defaults, `--set` and the other options, the later over the earlier.

    Raises:
        UsageError: a setting is unknown or does not fit.
    """
    lists = {"texts": call.texts, "without": call.without, "vocabulary": call.vocabulary}
    given: dict[str, Any] = {name: [str(file.resolve()) for file in files] for name, files in lists.items() if files}
    single = {"text_column": call.text_column, "seed": call.seed}
    given |= {name: value for name, value in single.items() if value is not None}
    config = build(PretrainConfig, parse_settings(call.settings), given)
    return PretrainRequest(config=config, command=call.repeated())

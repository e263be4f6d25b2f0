"""What a call of `pretrain` asks for: its options as one configuration, and the call that asks it again."""

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model.config import Frozen
from training.config.config import build, parse_settings
from training.config.request import PROGRAM, check_same
from training.errors import UsageError
from training.language_model.config import PretrainConfig


class PretrainRequest(Frozen):
    """What a pre-training was asked to do.

    Attributes:
        config: every setting, with absolute paths of files.
        command: does the same again.
    """

    config: PretrainConfig
    command: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PretrainOptions:
    """The options that say what is learned and how; None or empty where one was not given."""

    output: Path
    texts: tuple[Path, ...] = ()
    without: tuple[Path, ...] = ()
    vocabulary: tuple[Path, ...] = ()
    text_column: str | None = None
    settings: tuple[str, ...] = ()
    seed: int | None = None

    def words(self) -> list[str]:
        """The arguments as on a command line, files without their folders."""
        words = [file.name for file in self.texts]
        for name, files in (("--without", self.without), ("--vocabulary", self.vocabulary)):
            words += [word for file in files for word in (name, file.name)]
        words += [] if self.text_column is None else ["--text-column", self.text_column]
        words += [word for setting in self.settings for word in ("--set", setting)]
        return words + ([] if self.seed is None else ["--seed", str(self.seed)])


def new_request(call: PretrainOptions) -> PretrainRequest:
    """What the call asks for: defaults, `--set` and the other options, the later over the earlier.

    Raises:
        UsageError: a setting is unknown or does not fit.
    """
    lists = {"texts": call.texts, "without": call.without, "vocabulary": call.vocabulary}
    given: dict[str, Any] = {name: [str(file.resolve()) for file in files] for name, files in lists.items() if files}
    single = {"text_column": call.text_column, "seed": call.seed}
    given |= {name: value for name, value in single.items() if value is not None}
    config = build(PretrainConfig, parse_settings(call.settings), given)
    command = shlex.join([*PROGRAM, "pretrain", *call.words(), "--output", call.output.name])
    return PretrainRequest(config=config, command=command)


def resumed_request(request: PretrainRequest, call: PretrainOptions) -> PretrainRequest:
    """What an unfinished pre-training was asked for; what the call says again must agree with it.

    Raises:
        UsageError: it does not.
    """
    if call.texts:
        check_same(request.config, new_request(call).config)
    elif given := call.words():
        raise UsageError(f"--resume goes on with the settings it began with; leave out {shlex.join(given)}")
    return request

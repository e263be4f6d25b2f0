"""Requests for a run: the options of a command as one configuration, and the command line that repeats it."""

import shlex
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel

from model.config import Frozen
from model.folder import DIGESTS
from training.config.config import TrainConfig, build_config, flatten, parse_settings, read_recipe, read_toml
from training.errors import UsageError
from training.language_model.folder import load_pretrained

PROGRAM = ("python", "-m", "training")
ROLES = ("train", "validation", "test")

Asked = TypeVar("Asked", bound="AnyRequest")


class AnyRequest(Frozen):
    """A run that was asked for.

    Attributes:
        config: every setting, with absolute paths of files.
        command: the command line that makes the same run again.
    """

    config: BaseModel
    command: str


class Request(AnyRequest):
    """A run of train, distill, compare or tune that was asked for.

    Attributes:
        recipe: name of the recipe that it came from.
        data_root: folder below which a recipe's files were looked for.
    """

    config: TrainConfig
    recipe: str | None
    data_root: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Call(ABC):
    """The options of a command that makes a run; None or empty where one was not given.

    Attributes:
        output: the folder to write.
        command: name of the command.
        num_processes: started by `torchrun`; 1 without it.
    """

    output: Path
    command: str
    settings: tuple[str, ...] = ()
    text_column: str | None = None
    seed: int | None = None
    num_processes: int = 1

    @property
    @abstractmethod
    def names_data(self) -> bool:
        """The call could begin a run."""

    @abstractmethod
    def words(self) -> list[str]:
        """The options as on a command line, files without their folders."""

    @abstractmethod
    def request(self) -> AnyRequest:
        """The request of this call.

        Raises:
            UsageError: a setting is unknown or does not fit.
        """

    def repeated(self) -> str:
        """The command line that makes the same run again, files without their folders."""
        return shlex.join([*program(self.num_processes), self.command, *self.words(), "--output", self.output.name])


@dataclass(frozen=True, slots=True, kw_only=True)
class CallOptions(Call):
    """The options of train, distill, compare and tune; `teachers` and `label_map` to `cache` are of distill alone."""

    data_root: Path
    command: str = "train"
    train_file: Path | None = None
    validation: Path | None = None
    test: Path | None = None
    recipe: str | None = None
    config_file: Path | None = None
    label_column: str | None = None
    teachers: tuple[Path, ...] = ()
    unlabeled: tuple[Path, ...] = ()
    label_map: tuple[str, ...] = ()
    vectors: str | None = None
    cache: Path | None = None
    start: Path | None = None

    @property
    def names_data(self) -> bool:
        """A training file, a recipe or a TOML file is named."""
        return bool(self.train_file or self.recipe or self.config_file)

    def words(self) -> list[str]:
        """The options as on a command line, files without their folders."""
        return option_words(
            ("--recipe", self.recipe),
            ("--config", self.config_file),
            ("--train", self.train_file),
            ("--validation", self.validation),
            ("--test", self.test),
            ("--set", self.settings),
            ("--text-column", self.text_column),
            ("--label-column", self.label_column),
            ("--seed", self.seed),
            ("--start", self.start),
            ("--teacher", self.teachers),
            ("--unlabeled", self.unlabeled),
            ("--label-map", self.label_map),
            ("--vectors", None if self.vectors is None else Path(self.vectors)),
        )

    def request(self) -> Request:
        """The request of this call; see `new_request`."""
        return new_request(self)


def option_words(*options: tuple[str, Path | str | int | Sequence[Path | str] | None]) -> list[str]:
    """Words of a command line: files by name alone, one option for each of several values, none for None.

    >>> option_words(("--train", Path("a/b.csv")), ("--set", ("seed=1", "metric=accuracy")), ("--seed", None))
    ['--train', 'b.csv', '--set', 'seed=1', '--set', 'metric=accuracy']
    """
    words = []
    for name, given in options:
        for value in given if isinstance(given, tuple | list) else (given,) * (given is not None):
            words += [name, value.name if isinstance(value, Path) else str(value)]
    return words


def new_request(call: CallOptions) -> Request:
    """The request of a call: defaults, recipe, file, `--set` and the other options, the later over the earlier.

    Raises:
        UsageError: a setting is unknown or does not fit, or the recipe or file cannot be read.
    """
    layers = [read_recipe(call.recipe)] if call.recipe else []
    layers += [read_toml(call.config_file)] if call.config_file else []
    layers = [below(layer, call.data_root) for layer in layers]
    settings = below(parse_settings(call.settings), Path())
    config = configure(layers, [settings, as_settings(call)])
    root = str(call.data_root.resolve())
    return Request(config=config, recipe=call.recipe, command=call.repeated(), data_root=root)


def configure(layers: Sequence[dict[str, Any]], options: Sequence[dict[str, Any]]) -> TrainConfig:
    """The configuration of `layers` (recipe and file) and of `options` over them.

    Where the run starts from pre-trained layers, their shape and tokenizer replace what `layers` say, and `options`
    must not contradict them.

    Raises:
        UsageError: a setting is unknown or does not fit.
        CheckpointError: there is nothing whole to start from.
    """
    start = build_config(*layers, *options).start
    if start is None:
        return build_config(*layers, *options)
    given = load_pretrained(Path(start)).settings()
    config = build_config(*layers, given, *options)
    wanted, found = flatten(build_config(given)), flatten(config)
    keys = [f"{section}.{key}" for section, values in given.items() for key in values]
    if contradicted := [key for key in keys if found[key] != wanted[key]]:
        key = contradicted[0]
        raise UsageError(f"{key}={found[key]}, but the layers of {start} have {wanted[key]}; leave the setting out")
    return config


def resumed_request(request: Asked, call: Call) -> Asked:
    """The request of an unfinished run, with which whatever the call says again must agree.

    Raises:
        UsageError: it does not.
    """
    if call.names_data:
        check_same(request.config, call.request().config)
    elif given := call.words():
        raise UsageError(f"--resume goes on with the settings it began with; leave out {shlex.join(given)}")
    return request


def check_same(before: BaseModel, now: BaseModel) -> None:
    """Refuses a resumption with other settings.

    Raises:
        UsageError: some differ; says which.
    """
    old, new = flatten(before), flatten(now)
    changed = [f"{key} (was {old[key]!r}, now {new[key]!r})" for key in new if old[key] != new[key]]
    if changed:
        raise UsageError(f"--resume goes on with the settings it began with; these differ: {', '.join(changed)}")


def below(layer: dict[str, Any], root: Path) -> dict[str, Any]:
    """The settings with their relative files looked for under `root`, and made absolute."""
    data = layer.get("data")
    if isinstance(data, dict):
        files: dict[str, Any] = {
            role: str((root / data[role]).resolve()) for role in ROLES if isinstance(data.get(role), str)
        }
        if isinstance(data.get("tests"), dict):
            files["tests"] = {name: str((root / str(file)).resolve()) for name, file in data["tests"].items()}
        layer = layer | {"data": data | files}
    for name in ("semi", "distill"):
        section = layer.get(name)
        if isinstance(section, dict) and isinstance(section.get("unlabeled"), list):
            unlabeled = [str((root / str(file)).resolve()) for file in section["unlabeled"]]
            layer = layer | {name: section | {"unlabeled": unlabeled}}
    if isinstance(layer.get("start"), str):
        layer = layer | {"start": str((root / layer["start"]).resolve())}
    return layer


def as_settings(call: CallOptions) -> dict[str, Any]:
    """The options that are short forms of settings. A training file replaces a recipe's files."""
    data: dict[str, Any] = {}
    if call.train_file is not None:
        data = {"validation": None, "test": None, "tests": None, "source": "", "licence": ""}
    files = {"train": call.train_file, "validation": call.validation, "test": call.test}
    data |= {role: str(path.resolve()) for role, path in files.items() if path is not None}
    columns = {"text_column": call.text_column, "label_column": call.label_column}
    data |= {name: column for name, column in columns.items() if column is not None}
    settings: dict[str, Any] = {"data": data, "distill": distill_settings(call)}
    settings |= {} if call.start is None else {"start": str(call.start.resolve())}
    if call.unlabeled:
        section = "distill" if call.command == "distill" else "semi"
        settings[section] = settings.get(section, {}) | {"unlabeled": [str(path.resolve()) for path in call.unlabeled]}
    return settings | ({} if call.seed is None else {"seed": call.seed})


def distill_settings(call: CallOptions) -> dict[str, Any]:
    """The options of `distill` that are short forms of settings."""
    settings: dict[str, Any] = {}
    if call.teachers:
        settings["teachers"] = [str(path.resolve()) for path in call.teachers]
    if call.cache is not None:
        settings["cache"] = str(call.cache.resolve())
    if call.label_map:
        settings["label_map"] = call.label_map
    if call.vectors is not None:
        named = call.vectors in ("teacher", "none")
        settings["vectors"] = call.vectors if named else str(Path(call.vectors).resolve())
    return settings


def program(num_processes: int = 1) -> tuple[str, ...]:
    """The words that start our commands in so many processes of one machine."""
    return PROGRAM if num_processes == 1 else ("torchrun", "--nproc-per-node", str(num_processes), "-m", "training")


def resume_command(call: Call, device: str, threads: int | None) -> str:
    """The call that goes on with an interrupted run."""
    words = [*program(call.num_processes), call.command, "--output", str(call.output), "--resume"]
    words += ["--device", device] if device != "auto" else []
    return shlex.join(words + (["--threads", str(threads)] if threads else []))


def check_output(output: Path, *, unfinished: bool, resume: bool, overwrite: bool) -> None:
    """Refuses to lose a checkpoint or an unfinished run, or to train for an output that cannot be written.

    Raises:
        UsageError: something stands in the way; says how to go on.
    """
    if overwrite and resume:
        raise UsageError("--resume and --overwrite contradict each other")
    finished = (output / DIGESTS).is_file()
    if output.exists() and not finished and not (output.is_dir() and not any(output.iterdir())):
        raise UsageError(f"{output} exists and is not a checkpoint; choose another --output")
    if unfinished and not resume and not overwrite:
        raise UsageError(f"{output} has an unfinished run; --resume goes on with it, --overwrite gives it up")
    if finished and not unfinished and not overwrite:
        raise UsageError(f"{output} exists; --overwrite replaces it")

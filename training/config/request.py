"""Requests for a run: the options of a command as one configuration, and the command line that repeats it."""

import shlex
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_type_hints

from pydantic import BaseModel

from model.config import Frozen
from model.folder import DIGESTS
from tables.sources import is_local
from training.config.config import TrainConfig, flatten, nest, parse_settings, read_recipe, read_toml
from training.config.layers import FILES, below, configure, configure_with_encoder, each_file
from training.data.files import shown_path
from training.errors import UsageError

PROGRAM = ("python", "-m", "training")

Asked = TypeVar("Asked", bound="AnyRequest")


class AnyRequest(Frozen):
    """A run that was asked for.

    Attributes:
        config: every setting, with absolute paths of files.
        command: the command line that makes the same run again.
    """

    config: BaseModel
    command: str

    def asked_for(self) -> BaseModel:
        """The settings of the call that began the run, with which a call that resumes it must agree."""
        return self.config


class Request(AnyRequest):
    """A run of train, distill, compare or tune that was asked for.

    Attributes:
        recipe: name of the recipe that it came from.
        data_root: folder below which a recipe's files were looked for.
        budget_s: seconds that the run may take; None is as long as its settings say.
        with_encoder: the same from the shipped encoder, where the texts are to decide; None if a setting or option did.
        as_asked: the settings of the call, of which `config` may have more once the texts are known.
        cut: the budget allowed fewer passes than the settings say.
    """

    config: TrainConfig
    recipe: str | None
    data_root: str
    budget_s: float | None = None
    with_encoder: TrainConfig | None = None
    as_asked: TrainConfig | None = None
    cut: bool = False

    def asked_for(self) -> BaseModel:
        """The settings of the call that began the run; see `AnyRequest.asked_for`."""
        return self.as_asked or self.config

    def published_settings(self) -> dict[str, object]:
        """Every setting by dotted key, files by the names under which they are published."""

        def shown(file: str) -> str:
            return shown_path(Path(file), Path(self.data_root))

        settings = flatten(self.config)
        settings |= {key: each_file(settings[key], shown) for key in FILES if key != "start"}
        for key in ("start", "distill.teachers"):
            settings[key] = each_file(settings[key], lambda folder: Path(folder).name)
        settings["distill.cache"] = None
        if settings["distill.vectors"] not in NO_FILE:
            settings["distill.vectors"] = shown(settings["distill.vectors"])
        return settings


BUDGET_S = 300.0
"""Seconds that a run may take where nothing else is said."""

NO_FILE = ("teacher", "none")
"""Values of `distill.vectors` that are no file."""

OF_A_RECIPE = {"data.validation": None, "data.test": None, "data.tests": None, "data.source": "", "data.licence": ""}
"""What a recipe says of its own files, which does not hold for others."""


@dataclass(frozen=True, slots=True)
class Option:
    """An option of the command line, on the field of a `Call` that holds what was given for it.

    Attributes:
        flag: as it is typed; empty for an argument, None for what makes no difference to the result.
        setting: that it is short for, by its dotted key.
    """

    flag: str | None
    setting: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call(ABC):
    """The options of a command that makes a run; None or empty where one was not given.

    Attributes:
        output: the folder to write.
        command: name of the command.
        num_processes: started by `torchrun`; 1 without it.
        further: words of a command line that are no part of the request.
    """

    output: Path
    command: str
    num_processes: int = 1
    further: Sequence[str] = ()

    @property
    @abstractmethod
    def names_data(self) -> bool:
        """The call could begin a run."""

    @abstractmethod
    def request(self) -> AnyRequest:
        """The request of this call: defaults, recipe, file, `--set` and the other options, the later over the earlier.

        Raises:
            UsageError: a setting is unknown or does not fit, or the recipe or file cannot be read.
        """

    def options(self) -> Iterator[tuple[Option, Any]]:
        """Each option that was given, and its value."""
        for name, hint in get_type_hints(type(self), include_extras=True).items():
            if (value := getattr(self, name, None)) not in (None, ()):
                yield from ((option, value) for option in getattr(hint, "__metadata__", ()))

    def words(self) -> list[str]:
        """The options as on a command line: files by name alone, one option for each of several values."""
        words = []
        for option, given in self.options():
            for value in given if isinstance(given, tuple) else (given,):
                if option.flag is not None:
                    words += [option.flag] * bool(option.flag)
                    words += [] if isinstance(value, bool) else [value.name if isinstance(value, Path) else str(value)]
        return words

    def shorthands(self) -> dict[str, Any]:
        """The settings that options are short for, by dotted key; files are absolute."""
        return {option.setting: _absolute(value) for option, value in self.options() if option.setting}

    def repeated(self) -> str:
        """The command line that makes the same run again, files without their folders."""
        words = [*program(self.num_processes), self.command, *self.words(), "--output", self.output.name]
        return shlex.join([*words, *self.further])


@dataclass(frozen=True, slots=True, kw_only=True)
class CallOptions(Call):
    """The options of train, distill, compare and tune; `teachers` and `label_map` to `cache` are of distill alone.

    Attributes:
        start: a folder, or `none`.
        adapt: what neither an option nor a recipe says follows from the texts: where the run starts, how long it takes.
    """

    data_root: Path
    command: str = "train"
    recipe: Annotated[str | None, Option("--recipe")] = None
    config_file: Annotated[Path | None, Option("--config")] = None
    train_file: Annotated[Path | tuple[Path, ...] | None, Option("--train", "data.train")] = None
    validation: Annotated[Path | tuple[Path, ...] | None, Option("--validation", "data.validation")] = None
    test: Annotated[Path | tuple[Path, ...] | None, Option("--test", "data.test")] = None
    settings: Annotated[tuple[str, ...], Option("--set")] = ()
    text_column: Annotated[str | None, Option("--text-column", "data.text_column")] = None
    label_column: Annotated[str | None, Option("--label-column", "data.label_column")] = None
    weight_column: Annotated[str | None, Option("--weight-column", "data.weight_column")] = None
    sheet: Annotated[str | None, Option("--sheet", "data.sheet")] = None
    keep_labels: Annotated[tuple[str, ...], Option("--keep-label", "data.keep_labels")] = ()
    label_separator: Annotated[str | None, Option("--label-separator", "data.label_separator")] = None
    merge_labels: Annotated[bool | None, Option("--merge-labels", "data.merge_labels")] = None
    mask_personal: Annotated[bool | None, Option("--mask-personal", "data.mask_personal")] = None
    seed: Annotated[int | None, Option("--seed", "seed")] = None
    start: Annotated[Path | str | None, Option("--start", "start")] = None
    drop_old_labels: Annotated[bool | None, Option("--drop-old-labels", "drop_old_labels")] = None
    budget_s: Annotated[float | None, Option("--budget")] = None
    adapt: bool = False
    teachers: Annotated[tuple[Path, ...], Option("--teacher", "distill.teachers")] = ()
    unlabeled: Annotated[tuple[Path, ...], Option("--unlabeled", "semi.unlabeled")] = ()
    label_map: Annotated[tuple[str, ...], Option("--label-map", "distill.label_map")] = ()
    vectors: Annotated[Path | str | None, Option("--vectors", "distill.vectors")] = None
    cache: Annotated[Path | None, Option(None, "distill.cache")] = None
    slice_columns: Annotated[tuple[str, ...], Option("--slice-column", "data.slice_columns")] = ()
    report: Annotated[Literal[False] | None, Option("--no-report", "report")] = None

    @property
    def names_data(self) -> bool:
        """A training file, a recipe or a TOML file is named."""
        return bool(self.train_file or self.recipe or self.config_file)

    def shorthands(self) -> dict[str, Any]:
        """The settings that options are short for."""
        given = Call.shorthands(self)  # with slots, super() finds no class
        if self.start == "none":
            given["start"] = None
        if self.command == "distill":
            given = {key.replace("semi.", "distill."): value for key, value in given.items()}
        return given

    def request(self) -> Request:
        """The request of this call; see `Call.request`. A training file replaces a recipe's files."""
        layers = [read_recipe(self.recipe)] if self.recipe else []
        layers += [read_toml(self.config_file)] if self.config_file else []
        layers = [below(layer, self.data_root) for layer in layers]
        options = [below(parse_settings(self.settings), Path()), nest(self.shorthands())]
        adapt = self.adapt and not layers
        layers += [] if self.train_file is None else [nest(OF_A_RECIPE)]
        config = configure(layers, options, fine_tuned=adapt)
        return Request(
            config=config,
            as_asked=config,
            recipe=self.recipe,
            command=self.repeated(),
            data_root=str(self.data_root.resolve()),
            budget_s=self.budget_s or (BUDGET_S if adapt and "epochs" not in options[0].get("loop", {}) else None),
            with_encoder=configure_with_encoder(options) if adapt and self.start is None else None,
        )


def resumed_request(request: Asked, call: Call) -> Asked:
    """The request of an unfinished run, with which whatever the call says again must agree.

    Raises:
        UsageError: it does not.
    """
    if call.names_data:
        check_same(request.asked_for(), call.request().asked_for())
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


def _absolute(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_absolute(each) for each in value]
    if isinstance(value, Path) and is_local(str(value)):
        value = value.resolve()
    return str(value) if isinstance(value, Path) else value


def program(num_processes: int = 1) -> tuple[str, ...]:
    """The words that start our commands in so many processes of one machine.

    `--` keeps torchrun from reading `--log` and `--start` as beginnings of options of its own.
    """
    if num_processes == 1:
        return PROGRAM
    return ("torchrun", "--nproc-per-node", str(num_processes), "-m", "--", "training")


def resume_command(call: Call, device: str, threads: int | None, logs: Sequence[str] = ()) -> str:
    """The call that goes on with an interrupted run."""
    words = [*program(call.num_processes), call.command, "--output", str(call.output), "--resume"]
    words += ["--device", device] if device != "auto" else []
    words += [word for log in logs for word in ("--log", log)]
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

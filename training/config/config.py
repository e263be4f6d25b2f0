"""The settings of a run, as one frozen value: defaults, then a recipe, then a file, then `key=value` settings.

Each section is the configuration that lives beside what it builds.
"""

import difflib
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import tomli_w
from pydantic import BaseModel, Field, ValidationError, field_validator

from model.config import Architecture, Frozen
from model.encoder import Dropouts
from training.data.config import DataConfig
from training.data.tokenizer import TokenizerConfig
from training.errors import UsageError
from training.fit.imitation import DistillConfig
from training.fit.semi_supervised import SemiConfig
from training.fit.trainer import LoopConfig
from training.linear.ngrams import NgramConfig
from training.metrics.scores import Metric

Config = TypeVar("Config", bound=BaseModel)

RECIPES = Path(__file__).parent / "recipes"


class NetworkConfig(Architecture):
    """The network's shape; how many tokens there are is known once the tokenizer is trained.

    What stands beside the network is `NgramConfig`'s to say.
    """

    vocab_size: Annotated[int, Field(exclude=True)] = 0
    embedding_dim: Annotated[int, Field(ge=1, le=4096)] = 128
    hidden_size: Annotated[int, Field(ge=1, le=4096)] = 128
    ngram_buckets: Annotated[int, Field(exclude=True)] = 0
    ngram_order: Annotated[int, Field(exclude=True)] = 2

    @field_validator("vocab_size")
    @classmethod
    def _not_here(cls, _: int) -> int:
        raise ValueError("follows from the tokenizer; set tokenizer.vocab_size instead")

    @field_validator("ngram_buckets", "ngram_order")
    @classmethod
    def _beside(cls, _: int) -> int:
        raise ValueError("the n-grams have a section of their own; set ngrams.buckets or ngrams.order instead")

    def sized(self, vocab_size: int) -> Architecture:
        """The architecture over `vocab_size` tokens."""
        return Architecture(vocab_size=vocab_size, **self.model_dump())


class TrainConfig(Frozen):
    """The settings of a whole run.

    Attributes:
        name: of the model, for its card.
        seed: of the split, the first weights, the order of the batches and dropout.
        metric: what picks the weights, on validation.
        weights: number format in which the weights are stored.
        semi: further terms of the loss, some of them of texts without labels; `distill` has none.
        distill: what and how a student learns from teachers; `train` has none.
        start: a folder that `pretrain` wrote, or a checkpoint, whose layers it begins with; None is at random.
        drop_old_labels: gives up the labels of a checkpoint `start` that the training file lacks; else `train` keeps
            them. See `training.runs.continuing`.
        report: writes a page about the finished checkpoint beside it; see `training.reporting`.
    """

    name: str = ""
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    metric: Metric = "accuracy"
    weights: Literal["float32", "float16"] = "float32"
    data: DataConfig = DataConfig()
    tokenizer: TokenizerConfig = TokenizerConfig()
    architecture: NetworkConfig = NetworkConfig()
    dropouts: Dropouts = Dropouts(word=0.2, embedding=0.3, pooled=0.5)
    loop: LoopConfig = LoopConfig()
    ngrams: NgramConfig = NgramConfig()
    semi: SemiConfig = SemiConfig()
    distill: DistillConfig = DistillConfig()
    start: str | None = None
    drop_old_labels: bool = False
    report: bool = True


def build_config(*layers: Mapping[str, Any]) -> TrainConfig:
    """The configuration of a run, of nested mappings; see `build`."""
    return build(TrainConfig, *layers, listed_by="settings")


def build(kind: type[Config], *layers: Mapping[str, Any], listed_by: str) -> Config:
    """The configuration of nested mappings, later ones over earlier ones; the command `listed_by` lists its settings.

    Raises:
        UsageError: a key is unknown or a value does not fit; says which, and what was perhaps meant.
    """
    merged: dict[str, Any] = {}
    for layer in layers:
        merged = _merge(merged, layer)
    try:
        return kind.model_validate(merged)
    except ValidationError as error:
        explained = [_explain(detail, flatten(kind()), listed_by) for detail in error.errors()]
        raise UsageError("\n".join(explained)) from None


def read_toml(path: Path) -> dict[str, Any]:
    """A configuration file as nested mappings.

    Raises:
        UsageError: it cannot be read or is not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        cause = getattr(error, "strerror", None) or error
        raise UsageError(f"{path}: cannot be read as TOML: {cause}") from error


def read_recipe(name: str) -> dict[str, Any]:
    """The shipped recipe of this name.

    Raises:
        UsageError: there is none; says which there are.
    """
    if name not in recipe_names():
        raise UsageError(
            f"no recipe '{name}'{_did_you_mean(name, recipe_names())}; there are {', '.join(recipe_names())}"
        )
    return read_toml(RECIPES / f"{name}.toml")


def recipe_names() -> list[str]:
    """Names of the shipped recipes."""
    return sorted(path.stem for path in RECIPES.glob("*.toml"))


def recipe_header(name: str) -> str:
    """The comment at the top of a recipe: command, machine, duration, expected score."""
    lines = (RECIPES / f"{name}.toml").read_text(encoding="utf-8").splitlines()
    header = lines[: next((i for i, line in enumerate(lines) if not line.startswith("#")), len(lines))]
    return "\n".join(line.removeprefix("#").removeprefix(" ") for line in header)


def parse_settings(settings: Iterable[str]) -> dict[str, Any]:
    """Nested mappings of `section.key=value` settings; text is left for the configuration to type.

    Raises:
        UsageError: a setting has no `=` or no key, or sets a whole section.

    >>> parse_settings(["loop.epochs=3", "seed=1"])
    {'loop': {'epochs': '3'}, 'seed': '1'}
    """
    nested: dict[str, Any] = {}
    for setting in settings:
        key, separator, value = setting.partition("=")
        *sections, last = key.strip().split(".")
        if not separator or not last:
            raise UsageError(f"--set {setting}: write it as key=value, for example loop.epochs=5")
        nested = _merge(nested, nest({".".join([*sections, last]): _parse_value(value.strip())}))
    return nested


def nest(flat: Mapping[str, Any]) -> dict[str, Any]:
    """Nested mappings of values by dotted key.

    >>> nest({"loop.epochs": 3, "seed": 1})
    {'loop': {'epochs': 3}, 'seed': 1}
    """
    nested: dict[str, Any] = {}
    for key, value in flat.items():
        *sections, last = key.split(".")
        layer: dict[str, Any] = {last: value}
        for section in reversed(sections):
            layer = {section: layer}
        nested = _merge(nested, layer)
    return nested


def to_toml(config: TrainConfig) -> str:
    """The settings that are not the defaults, as `--config` takes them.

    >>> print(to_toml(TrainConfig(seed=3, loop=LoopConfig(learning_rate=1e-5))), end="")
    seed = 3
    <BLANKLINE>
    [loop]
    learning_rate = 1e-05
    """
    defaults = flatten(TrainConfig())
    changed = {key: value for key, value in flatten(config).items() if value is not None and value != defaults[key]}
    return tomli_w.dumps(nest(changed))


def flatten(config: BaseModel, prefix: str = "") -> dict[str, Any]:
    """Values by dotted key, as `--set` takes them.

    >>> flatten(DataConfig())["validation_fraction"]
    0.1
    """
    flat: dict[str, Any] = {}
    for key, field in type(config).model_fields.items():
        if field.exclude:
            continue
        value = getattr(config, key)
        flat |= flatten(value, f"{prefix}{key}.") if isinstance(value, BaseModel) else {f"{prefix}{key}": value}
    return flat


def _parse_value(text: str) -> Any:
    """Lists are read as TOML; the configuration knows the type of everything else."""
    if text.startswith("["):
        try:
            return tomllib.loads(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError:
            return text
    return text


def _merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        both = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = _merge(merged[key], value) if both else value
    return merged


def _explain(detail: Any, known: Iterable[str], listed_by: str) -> str:
    """One line for one of pydantic's complaints."""
    key = ".".join(str(part) for part in detail["loc"])
    if detail["type"] == "extra_forbidden":
        inside = detail["input"]
        while isinstance(inside, Mapping) and inside:  # an unknown section: its first setting is what was given
            name, inside = next(iter(inside.items()))
            key += f".{name}"
        return f"{key}: unknown{_did_you_mean(key, known)}; `python -m training {listed_by}` lists the settings"
    return f"{key}: {detail['msg']} (got {detail['input']!r})"


def _did_you_mean(name: str, known: Iterable[str]) -> str:
    """`; did you mean …?` when a known name is near, with or without its section; else nothing.

    >>> _did_you_mean("epoch", ["loop.epochs", "seed"])
    '; did you mean loop.epochs?'
    """
    known = list(known)
    candidates = {full.rpartition(".")[2]: full for full in known} | {full: full for full in known}
    for tried in (name, name.rpartition(".")[2]):
        for near in difflib.get_close_matches(tried, candidates, n=1):
            return f"; did you mean {candidates[near]}?"
    return ""

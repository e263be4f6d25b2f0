"""The space of a search: the settings that are searched, and the values that each may take."""

import math
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError, model_validator

from model.config import Frozen
from training.config.config import build_config, nest, read_toml
from training.errors import UsageError

DEFAULT_SPACE = Path(__file__).parent / "space.toml"

FIXED = ("name", "seed", "metric", "data", "distill")
"""Settings and sections that define the task and its measure: trials that differ in them do not compare."""

DIGITS = 3
"""Significant digits of a number drawn, so that it can be read and typed."""


class Range(Frozen):
    """A range of numbers, whole ones if both ends are; with `log` drawn evenly by their logarithm."""

    low: int | float
    high: int | float
    log: bool = False

    @model_validator(mode="after")
    def _in_order(self) -> "Range":
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise ValueError("low must be below high")
        if self.log and self.low <= 0:
            raise ValueError("with log = true, low must be above 0")
        return self

    def draw(self, rng: np.random.Generator) -> int | float:
        """Draws a number of the range."""
        if self.log:
            value = math.exp(rng.uniform(math.log(self.low), math.log(self.high)))
        elif isinstance(self.low, int) and isinstance(self.high, int):
            return int(rng.integers(self.low, self.high, endpoint=True))
        else:
            value = rng.uniform(self.low, self.high)
        rounded = min(max(float(f"{value:.{DIGITS}g}"), self.low), self.high)
        return round(rounded) if isinstance(self.low, int) and isinstance(self.high, int) else rounded


class Choice(Frozen):
    """A choice of values, each as likely as another."""

    values: tuple[Any, ...]

    def draw(self, rng: np.random.Generator) -> Any:
        """Draws one of the values."""
        return self.values[int(rng.integers(len(self.values)))]


Space = dict[str, Range | Choice]
"""The values to search by dotted key, as `--set` takes them."""


def read_space(path: Path = DEFAULT_SPACE) -> Space:
    """Reads a space from a TOML file; see `space.toml`.

    Raises:
        UsageError: it cannot be read, or names what is no setting, or a value that does not fit.
    """
    try:
        space = dict(_entries(read_toml(path)))
        if not space:
            raise UsageError("names no setting to search; write at least one")
        for key, values in space.items():
            _check(key, values)
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from None
    return space


def draw(space: Space, *, seed: int, number: int) -> dict[str, Any]:
    """Draws the settings of trial `number`; equal arguments give equal settings."""
    rng = np.random.default_rng([seed, number])
    return {key: space[key].draw(rng) for key in sorted(space)}


def without(space: Space, settings: Iterable[str]) -> Space:
    """Takes out of the space what `key=value` sets on the command line.

    Raises:
        UsageError: nothing is left.
    """
    keys = {setting.partition("=")[0].strip() for setting in settings}
    left = {key: values for key, values in space.items() if key not in keys}
    if not left:
        raise UsageError("everything that would be searched is set; leave out a --set, or give another --space")
    return left


def describe_space(space: Space) -> dict[str, Any]:
    """The space as plain JSON, for the record of a search."""
    return {
        key: list(values.values) if isinstance(values, Choice) else values.model_dump() for key, values in space.items()
    }


def _entries(section: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Range | Choice]]:
    for name, value in section.items():
        key = f"{prefix}{name}"
        if isinstance(value, list) and value:
            yield key, Choice(values=tuple(value))
        elif isinstance(value, Mapping) and {"low", "high"} & value.keys():
            try:
                yield key, Range.model_validate(value, strict=True)
            except ValidationError as error:
                raise UsageError(f"{key}: {error.errors()[0]['msg']}") from None
        elif isinstance(value, Mapping):
            yield from _entries(value, f"{key}.")
        else:
            raise UsageError(f"{key}: write a list of values or {{ low = …, high = … }}")


def _check(key: str, values: Range | Choice) -> None:
    if key.partition(".")[0] in FIXED:
        raise UsageError(f"{key}: cannot be searched; it says what is learned or how that is measured")
    for value in values.values if isinstance(values, Choice) else (values.low, values.high):
        build_config(nest({key: value}))

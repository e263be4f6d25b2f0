"""Layers of settings: defaults, recipe or file, the layers that a run starts from, and options, later over earlier."""

import os.path
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from model.folder import DIGESTS
from tables.sources import is_local
from training.config.config import TrainConfig, build_config, flatten, nest
from training.config.start import load_start
from training.errors import UsageError

FILES = (
    *("data.train", "data.validation", "data.test", "data.tests"),
    *("semi.unlabeled", "distill.unlabeled", "start"),
)
"""Settings that are a file, several of them, or several by name. A relative one of a recipe is below the data root."""

ENCODER = Path(__file__).resolve().parents[2] / "checkpoints" / "encoder"
"""The shipped encoder, from which a run starts where nothing else is said and its texts are in its languages."""

FINE_TUNING: dict[str, Any] = {
    "loop": {"epochs": 5, "learning_rate": 2e-3, "layer_decay": 0.7, "batch_rows": 64, "min_steps": 25}
}
"""Settings of a run from an encoder whose sentence vectors were learned, where no recipe or file says how: half the
passes and gentler rates in lower layers than from random weights. Chosen on validation texts of six sets
(`docs/design/0034-own-data.md`)."""


class Contradiction(UsageError):
    """A setting that the layers of the start do not have."""


def configure(
    layers: Sequence[dict[str, Any]], options: Sequence[dict[str, Any]], *, fine_tuned: bool = False
) -> TrainConfig:
    """The configuration of `layers` (recipe and file) and of `options` over them.

    Where the run starts from layers that are there, their shape and tokenizer replace what `layers` say, and `options`
    must not contradict them. With `fine_tuned`, those of an encoder, and a checkpoint that goes on, are trained as
    `FINE_TUNING` says.

    Raises:
        UsageError: a setting is unknown or does not fit; `Contradiction` if the layers are of another shape.
        CheckpointError: there is nothing whole to start from.
    """
    asked = build_config(*layers, *options)
    if (start := asked.start) is None:
        return asked
    found = load_start(Path(start))
    learned = found.maps or (found.task is not None and not asked.drop_old_labels)
    given, defaults = found.settings, FINE_TUNING if fine_tuned and learned else {}
    config = build_config(defaults, *layers, given, *options)
    wanted, built = flatten(build_config(given)), flatten(config)
    keys = [f"{section}.{key}" for section, values in given.items() for key in values]
    if contradicted := [key for key in keys if built[key] != wanted[key]]:
        key = contradicted[0]
        raise Contradiction(f"{key}={built[key]}, but the layers of {start} have {wanted[key]}; leave the setting out")
    return config


def configure_with_encoder(options: Sequence[dict[str, Any]]) -> TrainConfig | None:
    """The configuration of a run from `ENCODER`; None if it is not there, or an option says otherwise."""
    if not (ENCODER / DIGESTS).is_file() or any("start" in option for option in options):
        return None
    try:
        return configure([], [*options, {"start": str(ENCODER)}], fine_tuned=True)
    except Contradiction:
        return None


def below(layer: dict[str, Any], root: Path) -> dict[str, Any]:
    """The settings with their relative files looked for under `root`, and made absolute."""
    for key in FILES:
        section, _, name = key.rpartition(".")
        values = layer.get(section) if section else layer
        if isinstance(values, Mapping) and name in values:
            absolute = each_file(values[name], lambda file: str((root / file).resolve()) if is_local(file) else file)
            layer = layer | ({section: {**values, name: absolute}} if section else {name: absolute})
    return layer


def each_file(value: Any, change: Callable[[str], str]) -> Any:
    """Changes a file, each of several, or each of several by name; anything else stays, and is refused later.

    >>> each_file({"a": "b"}, str.upper), each_file(("a", "b"), str.upper), each_file(None, str.upper)
    ({'a': 'B'}, ['A', 'B'], None)
    """
    if isinstance(value, Mapping):
        return {name: change(str(file)) for name, file in value.items()}
    if isinstance(value, list | tuple):
        return [change(str(file)) for file in value]
    return change(value) if isinstance(value, str) else value


def repeatable(config: TrainConfig, data_root: Path) -> TrainConfig:
    """The settings with files below the data root or the working directory written relative to the data root.

    There `--config` looks for them, so the file repeats the run wherever the folders lie alike; others stay absolute.
    """
    roots = (data_root, Path.cwd())

    def shown(file: str) -> str:
        inside = is_local(file) and any(Path(file).is_relative_to(root) for root in roots)
        return os.path.relpath(file, data_root) if inside else file

    settings = flatten(config)
    return build_config(nest(settings | {key: each_file(settings[key], shown) for key in FILES}))

"""Options that several commands share."""

import os
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import click

FILE = click.Path(path_type=Path)

AUTO = "auto"
"""The device that is always there."""


def _one_or_several(_ctx: click.Context, _param: click.Parameter, paths: tuple[Path, ...]) -> object:
    return paths[0] if len(paths) == 1 else paths or None


table_option = partial(click.option, type=FILE, multiple=True, callback=_one_or_several)
"""Makes an option that names a table: one file, or several of them."""


class Shard(click.ParamType[tuple[int, int]]):
    """A part of a whole, as K/N."""

    name = "K/N"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        """Reads the two numbers."""
        try:
            part, parts = map(int, value.split("/"))
        except ValueError:
            part, parts = 0, 0
        if not 1 <= part <= parts:
            self.fail(f"'{value}' is not K/N with K from 1 to N, for example 2/4", param, ctx)
        return part, parts


def _check_device(_ctx: click.Context, _param: click.Parameter, device: str) -> str:
    """Refuses a device that is not there before anything is read or written."""
    if device != AUTO:
        from model.device import resolve_device

        resolve_device(device)
    return device


DEVICE = click.option(
    "--device",
    default=AUTO,
    show_default=True,
    callback=_check_device,
    help="auto (CUDA if there is one), cpu, cuda or cuda:N.",
)
MASK_PERSONAL = click.option(
    "--mask-personal",
    is_flag=True,
    default=None,
    help="Put fixed words in place of e-mail addresses and telephone numbers in the texts that are trained on. "
    "Validation, test and requests are not masked.",
)
UNLABELED = click.option(
    "--unlabeled",
    type=FILE,
    multiple=True,
    help="Texts without labels, for the terms semi.virtual_adversarial and semi.entropy. Repeatable.",
)
DATA_ROOT = click.option(
    "--data-root",
    type=FILE,
    envvar="SLUICE_DATA",
    default="data",
    show_default=True,
    show_envvar=True,
    help="Folder of the data: where the files that a recipe or TOML file names are looked for, and from which "
    "the paths that are recorded begin.",
)
SHARD = click.option(
    "--shard",
    type=Shard(),
    default="1/1",
    show_default=True,
    help="Take every N-th text only, from the K-th on; N calls, on one machine or several, take all.",
)


def limit_threads(threads: int | None) -> None:
    """Sets the threads of PyTorch and of the tokenizer.

    None leaves them as they are, but for a container's CPU quota: PyTorch takes one thread for each processor that it
    sees, and more threads than the quota pays for wait for each other.
    """
    from joblib import cpu_count
    from torch import get_num_threads

    from model.classifier import set_num_threads

    allowed = threads or min(cpu_count(), get_num_threads())
    if threads or allowed < get_num_threads():
        os.environ["RAYON_NUM_THREADS"] = str(allowed)  # the tokenizer's pool, not begun yet
        set_num_threads(allowed)


def _take_threads(_ctx: click.Context, _param: click.Parameter, threads: int | None) -> int | None:
    limit_threads(threads)
    return threads


threads_option = partial(
    click.option,
    "--threads",
    type=click.IntRange(min=1),
    callback=_take_threads,
    help="CPU threads.  [default: as PyTorch chooses]",
)
TEXTS_IN = click.option(
    "--text-column",
    "--text-columns",
    metavar="A,B,…",
    help="Column of the texts; several are joined by a line break.  [default: text, or the one that is found]",
)
LABELS_IN = click.option(
    "--label-column",
    "--label-columns",
    metavar="A,B,…",
    help="Column of the labels: text, numbers, booleans, lists, or maps from label to probability. Several: one for "
    "each label, of 0 and 1 or of probabilities.  [default: label, or those that are found]",
)
WEIGHTS_IN = click.option(
    "--weight-column",
    metavar="NAME",
    help="Column of a weight for each training text wherever something is fitted to them: 2 counts as two texts, and "
    "a text of weight 0 is left out. Counts of texts and every score count each once.  [default: all weigh alike]",
)
SHEET = click.option("--sheet", metavar="NAME", help="Sheet of a spreadsheet.  [default: the first with the columns]")
SLICE_COLUMN = click.option(
    "--slice-column",
    "slice_columns",
    multiple=True,
    metavar="NAME",
    help="A column of the held-out files whose values are kinds of texts, each with its accuracy in the report. "
    "Repeatable.",
)
REPORT = click.option(
    "--no-report",
    "report",
    flag_value=False,
    type=bool,
    default=None,
    help="Write no OUTPUT.report.html and OUTPUT.report.json beside the checkpoint.",
)
LOG = click.option(
    "--log",
    "logs",
    multiple=True,
    metavar="KIND:PLACE",
    help="Also write settings, readings and scores to tensorboard:FOLDER, or to mlflow:PLACE, a folder or the address "
    "of a server. Repeatable.",
)
THREADS = threads_option(expose_value=False)


LABEL_SEPARATOR = click.option(
    "--label-separator",
    metavar="TEXT",
    help="Between several labels in one value, for example '|'; none: each value is one label.  [default: found]",
)
LABELS = (
    click.option(
        "--keep-label",
        "keep_labels",
        multiple=True,
        metavar="NAME",
        help="A label although it is spelled like a missing value, such as nan, NA, null or -. Repeatable.",
    ),
    LABEL_SEPARATOR,
    click.option(
        "--merge-labels",
        is_flag=True,
        default=None,
        help="Read labels that differ in case, width, spaces, invisible characters or zeros only as one.",
    ),
)


def label_options(command: Any) -> Any:
    """Adds the options that say how labels are read."""
    for option in reversed(LABELS):
        command = option(command)
    return command


def data_options(command: Any, *, test: bool = True) -> Any:
    """Adds the options that say which texts are trained on and, unless `test` is false, which are scored at the end."""
    options = [
        table_option(
            "--train",
            "train_file",
            help="Labelled texts: CSV, TSV, JSON, Parquet, Arrow or a spreadsheet; a pattern in quotation marks "
            "('part-*.csv'); a folder of tables, or with a folder of texts for each label; - is standard input. "
            "Repeatable: several are one table. Replaces a recipe's files.",
        ),
        table_option("--validation", help="Texts that pick the weights; if not given, some of the training texts."),
        *([table_option("--test", help="Texts that are only scored, once, at the end.")] if test else []),
        TEXTS_IN,
        LABELS_IN,
        WEIGHTS_IN,
        SHEET,
        *LABELS,
        DATA_ROOT,
    ]
    for option in reversed(options):
        command = option(command)
    return command


def judged_label_options(command: Any) -> Any:
    """Adds the options that say how labels are read that a checkpoint is judged by; see `read_judged`."""
    options = [
        LABEL_SEPARATOR,
        click.option(
            "--ignore-unknown-labels",
            is_flag=True,
            help="Go on without the rows whose label the checkpoint does not know; without it the first one is an "
            "error.",
        ),
        click.option(
            "--merge-labels",
            is_flag=True,
            help="Read a label that differs from one of the checkpoint's in case, width, spaces or zeros only as that "
            "one.",
        ),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def recipe_options(command: Any) -> Any:
    """Adds the options that say how it is trained, all but the seed."""
    options = [
        click.option("--recipe", metavar="NAME", help="Start from the settings of a recipe; `recipes` lists them."),
        click.option("--config", "config_file", type=FILE, help="Settings in a TOML file, over those of the recipe."),
        click.option(
            "--set",
            "settings",
            multiple=True,
            metavar="KEY=VALUE",
            help="One setting, over recipe and file, for example loop.epochs=5. Repeatable; `settings` lists them.",
        ),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def setting_options(command: Any) -> Any:
    """Adds the options that say how it is trained."""
    seed = click.option("--seed", type=click.IntRange(min=0), help="Seed of everything random.  [default: 0]")
    return recipe_options(seed(command))


def start_option(default: str) -> Callable[[Any], Any]:
    """The option that says where a run starts; `default` says in words what holds without it."""
    return click.option(
        "--start",
        metavar="FOLDER",
        type=lambda given: given if given == "none" else Path(given),
        help="A folder that pretrain wrote, or a checkpoint to train further: the layers and the tokenizer begin "
        f"there, and are of its shape; none starts at random.  [default: {default}]",
    )


class Duration(click.ParamType[float]):
    """A time: a number of seconds, or one with s, m or h behind it."""

    name = "TIME"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Reads a time as a number of seconds."""
        if isinstance(value, float | int):
            return float(value)
        found = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", value.strip())
        if found is None or not float(found[1]):
            self.fail(f"'{value}' is not a time, for example 90s, 5m or 1h", param, ctx)
        return float(found[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[found[2]]


def run_options(command: Any) -> Any:
    """Adds the options that say where a run is written, whether it goes on, and where it computes."""
    options = [
        click.option("--output", type=FILE, required=True, help="The checkpoint folder to write."),
        click.option(
            "--resume",
            is_flag=True,
            help="Go on with the interrupted run of --output. Its settings need not be repeated; if they are, they "
            "must agree. With no such run and the data named, starts one.",
        ),
        click.option(
            "--overwrite",
            is_flag=True,
            help="Replace the checkpoint, or give up the unfinished run, at --output.",
        ),
        DEVICE,
        threads_option(),
    ]
    for option in reversed(options):
        command = option(command)
    return command


class Listed(click.ParamType[tuple[str, ...]]):
    """Values with commas between them."""

    name = "A,B,…"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        """Parts it at the commas."""
        del param, ctx
        return value if isinstance(value, tuple) else tuple(part.strip() for part in value.split(",") if part.strip())

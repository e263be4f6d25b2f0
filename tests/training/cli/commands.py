"""The commands of `python -m training`, called within the process of a test."""

import json
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from training.__main__ import main

ROOT = Path(__file__).resolve().parents[3]


class StopAfter:
    """A request to stop, after so many steps."""

    def __init__(self, num_steps: int) -> None:
        self._left = num_steps

    def __bool__(self) -> bool:
        self._left -= 1
        return self._left < 0

    def __enter__(self) -> "StopAfter":
        return self

    def __exit__(self, *_: object) -> None:
        pass


def call(*arguments: object, stop_after: int | None = None) -> Result:
    """Calls a command; with `stop_after` its loops are asked to stop after so many steps."""
    given = {} if stop_after is None else {"interrupt": lambda: StopAfter(stop_after)}
    return CliRunner().invoke(main, [str(argument) for argument in arguments], obj=given)


def metrics_of(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "metrics.json").read_bytes())  # type: ignore[no-any-return]

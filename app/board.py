"""What the processes of one server tell each other: their tallies, in a folder, and that they have loaded."""

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from app.tallies import Snapshot

COUNTS, GAUGES = "counts", "gauges"

WORKER_RESTARTS = "sluice_worker_restarts"
"""The one tally that is the parent's."""


class Board:
    """Where the workers of one server leave their tallies and say that they have loaded.

    Args:
        folder: for nobody else; of one server only.
        loaded: a byte for each worker: 1 once its models are loaded for the first time.
        index: of this worker.
    """

    def __init__(self, folder: Path, loaded: Any, index: int) -> None:
        self._folder = folder
        self._loaded = loaded
        self._index = index

    def note_loaded(self) -> None:
        """This worker has its models."""
        self._loaded[self._index] = 1

    def all_loaded(self) -> bool:
        """Whether each worker has had its models: until then the server as a whole is not ready."""
        return all(self._loaded)

    def write(self, counts: Snapshot, gauges: Snapshot) -> None:
        """Leaves this worker's tallies."""
        _write(self._folder / f"{os.getpid()}.json", {COUNTS: counts, GAUGES: gauges})

    def others(self) -> list[Snapshot]:
        """What the other workers left, those too that are gone."""
        left = [json.loads(path.read_bytes()) for path in self._folder.glob("*.json") if path.stem != str(os.getpid())]
        return [tallies[COUNTS] | tallies[GAUGES] for tallies in left]


def tell_restarts(folder: Path, number: int) -> None:
    """Leaves for all how many workers this process, their parent, has replaced; later, if the disk is full now."""
    with suppress(OSError):
        _write(folder / f"{os.getpid()}.json", {COUNTS: {WORKER_RESTARTS: [((), [float(number)])]}, GAUGES: {}})


def bury(folder: Path, pid: int) -> None:
    """Keeps the counts of a worker that died, which must not go down, and forgets its gauges."""
    path = folder / f"{pid}.json"
    if path.exists():
        _write(path, json.loads(path.read_bytes()) | {GAUGES: {}})


def _write(path: Path, content: dict[str, Snapshot]) -> None:
    """Whoever reads sees all of it or what was there before."""
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(content), encoding="utf-8")
    partial.replace(path)

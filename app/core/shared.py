"""What the processes of one server tell each other, in a folder: their tallies, that they have loaded, what to serve.

The disk may be full. Then the last tallies that could be left stand, and the log says so once; what to serve is written
whole or not at all.
"""

import fcntl
import json
import logging
import mmap
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec

from app.core.plan import Plan, Plans
from model.files import replace

Labels = tuple[str, ...]
Values = list[float]
Snapshot = dict[str, list[tuple[Labels, Values]]]
"""By family and labels: a counter's or gauge's value, or a histogram's sum and the count of each bucket."""

logger = logging.getLogger(__name__)

COUNTS, GAUGES = "counts", "gauges"

PLANS = "plans"

WORKER_RESTARTS = "sluice_worker_restarts"
"""The one tally that is the parent's."""


class Board:
    """Where the workers of one server leave what the others should know.

    Args:
        folder: for nobody else; of one server only.
        loaded: a byte for each worker: 1 once its models are loaded for the first time.
        index: of this worker.
    """

    def __init__(self, folder: Path, loaded: Any, index: int) -> None:
        self._folder = folder
        self._loaded = loaded
        self._index = index
        self._full = False

    def note_loaded(self) -> None:
        """This worker has its models."""
        self._loaded[self._index] = 1

    def all_loaded(self) -> bool:
        """Whether each worker has had its models: until then the server as a whole is not ready."""
        return all(self._loaded)

    def write(self, counts: Snapshot, gauges: Snapshot) -> None:
        """Leaves this worker's tallies, if there is room for them."""
        try:
            replace(self._folder / f"{os.getpid()}.json", json.dumps({COUNTS: counts, GAUGES: gauges}))
        except OSError as error:
            if not self._full:
                logger.error("the other workers cannot be told this one's tallies", extra={"cause": error.strerror})
            self._full = True
        else:
            self._full = False

    def number(self, name: str) -> "memoryview[float]":
        """A float that all workers share, 0 at first; it outlives the worker that made it."""
        descriptor = os.open(self._folder / name, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            os.ftruncate(descriptor, 8)
            return memoryview(mmap.mmap(descriptor, 8)).cast("d")
        finally:
            os.close(descriptor)

    def others(self) -> list[Snapshot]:
        """What the other workers left. Of those that are gone the counts remain, for these must not go down."""
        found = []
        for path in self._folder.glob("*.json"):
            if path.stem != str(os.getpid()):
                left = json.loads(path.read_bytes())
                found.append(left[COUNTS] | left[GAUGES] if _runs(int(path.stem)) else left[COUNTS])
        return found

    def plans(self) -> Plans | None:
        """What all are to serve since somebody changed it; None as long as nobody has."""
        try:
            content = (self._folder / PLANS).read_bytes()
        except FileNotFoundError:
            return None
        return msgspec.json.decode(content, type=Plans)

    def publish(self, name: str, plan: Plan | None, before: Plans) -> None:
        """Tells all to serve this under the name, or nothing any more.

        Args:
            name, plan: what changes.
            before: what they serve if nobody has changed anything yet.

        Raises:
            OSError: it could not be written; nothing has changed.
        """
        with self._locked():
            plans = dict(self.plans() or before)
            if plan is None:
                plans.pop(name, None)
            else:
                plans[name] = plan
            replace(self._folder / PLANS, msgspec.json.encode(plans))

    @contextmanager
    def _locked(self) -> Iterator[None]:
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        finally:
            os.close(folder)


def tell_restarts(folder: Path, number: int) -> None:
    """Leaves for all how many workers this process, their parent, has replaced; later, if the disk is full now."""
    with suppress(OSError):
        left = {COUNTS: {WORKER_RESTARTS: [((), [float(number)])]}, GAUGES: {}}
        replace(folder / f"{os.getpid()}.json", json.dumps(left))


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError:  # it is gone, or its number is another process now that is not ours
        return False
    return True

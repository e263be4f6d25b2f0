"""Snapshots that the processes of one server leave for each other, so that any of them can answer for all.

The disk may be full. Then the last snapshot that could be left stands, and the log says so once.
"""

import logging
from contextlib import suppress

import msgspec

from app.core.shared import SharedFolder
from app.telemetry.counters import Snapshot

WORKER_RESTARTS = "sluice_worker_restarts"

logger = logging.getLogger(__name__)


class Shared(msgspec.Struct):
    """Values of one process: counts, which remain when it is gone, and gauges, which do not."""

    counts: Snapshot
    gauges: Snapshot


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Shared).decode


class SharedSnapshots:
    """Snapshots of all processes of one server in their shared folder."""

    def __init__(self, folder: SharedFolder) -> None:
        self._folder = folder
        self._failed = False

    def write(self, counts: Snapshot, gauges: Snapshot) -> None:
        """Leaves the values of this process, if there is room for them."""
        try:
            self._folder.write_own(_encode(Shared(counts, gauges)))
        except OSError as error:
            if not self._failed:
                logger.error("a worker cannot share its counts with the others", extra={"cause": error.strerror})
            self._failed = True
        else:
            self._failed = False

    def others(self) -> list[Snapshot]:
        """Values of the other processes. Of those that are gone the counts remain, for these must not go down."""
        found = []
        for content, running in self._folder.others():
            shared = _decode(content)
            found.append(shared.counts | shared.gauges if running else shared.counts)
        return found


def write_restarts(folder: SharedFolder, number: int) -> None:
    """Leaves the number of workers that this process, their parent, has replaced; later, if the disk is full now."""
    with suppress(OSError):
        folder.write_own(_encode(Shared({WORKER_RESTARTS: [((), [float(number)])]}, {})))

"""Snapshots that the processes of one server leave for each other, so that any of them can answer for all.

The disk may be full. Then the last snapshot that could be left stands, and the log says so once.
"""

import logging
from collections.abc import Collection

import msgspec

from app.core.shared import SharedFolder
from app.telemetry.counters import Snapshot

WORKER_RESTARTS = "sluice_worker_restarts"

logger = logging.getLogger(__name__)


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Snapshot).decode


class SharedSnapshots:
    """Snapshots of all processes of one server in their shared folder.

    Args:
        folder: that the processes share.
        gauges: names of the families whose values mean nothing when their process is gone.
    """

    def __init__(self, folder: SharedFolder, gauges: Collection[str]) -> None:
        self._folder = folder
        self._gauges = gauges
        self._failed = False

    def write(self, snapshot: Snapshot) -> None:
        """Leaves the values of this process, if there is room for them.

        One thread alone may call it: two would write the same file at once, or an older snapshot over a newer one.
        """
        try:
            self._folder.write_own(_encode(snapshot))
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
            values = _decode(content).items()
            found.append({name: each for name, each in values if running or name not in self._gauges})
        return found


def write_restarts(folder: SharedFolder, number: int) -> bool:
    """Leaves the number of workers that this process, their parent, has replaced; False if there is no room now."""
    try:
        folder.write_own(_encode({WORKER_RESTARTS: [((), [float(number)])]}))
    except OSError:
        return False
    return True

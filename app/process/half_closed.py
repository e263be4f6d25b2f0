"""Clients that have shut their sending side: some wait for their answer, others have left.

Both look the same until something is sent: who has left then resets the connection. Every answer begins with the same
bytes, so these are sent ahead of one that takes long, and the work for those who have left can be dropped.
"""

import asyncio
import select
from typing import Any

BEGINNING = b"HTTP/1.1 "
"""First bytes of every answer."""

PROBE_AFTER_S = 0.05
"""Time from the end of the sending to the probe, and from there to the look whether the client has left."""


def has_left(transport: asyncio.BaseTransport) -> bool:
    """Returns whether the other side has closed the connection altogether, as far as the system knows by now."""
    connected = transport.get_extra_info("socket")
    if connected is None or transport.is_closing():
        return False
    events = select.poll()
    events.register(connected.fileno(), 0)  # an error and a hang-up are told unasked
    return bool(events.poll(0))


class Begun:
    """Transport on which `BEGINNING` has been sent: leaves it out of the answer that follows.

    Args:
        transport: of the connection, on which it is sent now.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._unsent = BEGINNING
        transport.write(BEGINNING)

    def write(self, data: bytes) -> None:
        """Sends a part of the answer."""
        self._transport.write(data.removeprefix(self._unsent))
        self._unsent = b""

    def __getattr__(self, name: str) -> Any:
        """Passes all else on to the transport."""
        return getattr(self._transport, name)

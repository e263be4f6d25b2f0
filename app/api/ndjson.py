"""Cuts a stream of bytes into lines."""

from collections.abc import Iterator


class LineCutter:
    r"""Cuts chunks of bytes into lines and holds no more than one unfinished line.

    Args:
        max_bytes: of a line without its end. Of a longer one nothing is kept; None stands for it.

    >>> cutter = LineCutter(max_bytes=3)
    >>> list(cutter.feed(b"one\n\ntwo o")), list(cutter.feed(b"r more\r\nab")), list(cutter.end())
    ([b'one', b''], [None], [b'ab'])
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._held = bytearray()
        self._num_bytes = 0

    def feed(self, chunk: bytes) -> Iterator[bytes | None]:
        """Yields the lines that end in `chunk`. Use all of them before the next call."""
        start = 0
        while (end := chunk.find(b"\n", start)) >= 0:
            self._hold(chunk[start:end])
            yield from self.end()
            start = end + 1
        self._hold(chunk[start:])

    def end(self) -> Iterator[bytes | None]:
        """Yields the unfinished line as the last one."""
        yield None if self._num_bytes > self._max_bytes else bytes(self._held)
        self._held.clear()
        self._num_bytes = 0

    def _hold(self, part: bytes) -> None:
        self._num_bytes += len(part)
        if self._num_bytes > self._max_bytes:
            self._held.clear()
        else:
            self._held += part

"""Logs of one JSON object a line, never with anything that a client wrote."""

import logging
import math
import sys
import time
import traceback
from contextlib import suppress
from types import TracebackType
from typing import TextIO

import msgspec

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "color_message"}

COMPLAIN_EVERY_S = 60.0
"""Time between two notices that the log cannot be written."""


class JsonFormatter(logging.Formatter):
    """Formatter for time, level, logger, message and the fields of `extra` (not `_…`, which other libraries add).

    Of an exception it shows the class and the places, not the message: that of an unforeseen exception may quote the
    user's text. A message that is known to be harmless is logged as text of its own.
    """

    def format(self, record: logging.LogRecord) -> str:
        """One line of JSON for a record."""
        line: dict[str, object] = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= {name: value for name, value in vars(record).items() if name not in _STANDARD and name[0] != "_"}
        if record.exc_info and record.exc_info[0] is not None:
            line["exception"] = record.exc_info[0].__name__
            line["at"] = _places(record.exc_info[2])
        return msgspec.json.encode(line, enc_hook=str).decode()


def _places(trace: TracebackType | None) -> list[str]:
    """Places that the exception passed, outermost first, without the source lines."""
    return [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(trace)]


class LogStream(logging.StreamHandler[TextIO]):
    """Handler that says on standard error, once in a while, that the log cannot be written, and why.

    The standard one prints the traceback there, for each line anew, and with it what the exception and the source say.
    """

    _complained_at = -math.inf

    def handleError(self, record: logging.LogRecord) -> None:
        """Says what the record met, without anything of the record."""
        error = sys.exception()
        if time.monotonic() - self._complained_at < COMPLAIN_EVERY_S:
            return
        self._complained_at = time.monotonic()
        reason = (isinstance(error, OSError) and error.strerror) or type(error).__name__
        with suppress(OSError, ValueError, AttributeError):  # standard error is full, closed or was never there
            sys.stderr.write(f"The log cannot be written: {reason}. Its lines are lost until it can.\n")
            sys.stderr.flush()


def configure(level: str) -> None:
    """Sends every log of this process to standard output as JSON. For `python -m app` only."""
    handler = LogStream(sys.stdout)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)

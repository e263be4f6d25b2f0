"""Logs of one JSON object a line, never with anything that a client wrote."""

import logging
import sys
import time
import traceback
from types import TracebackType

import msgspec

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "color_message"}


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


def configure(level: str) -> None:
    """Sends every log of this process to standard output as JSON. For `python -m app` only."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)

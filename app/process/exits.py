"""Ends of processes: errors become sentences and exit codes."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from app.bulk.errors import BulkError
from app.config.settings import SettingsError
from model.errors import ModelError
from tables.errors import TableError

RUN_FAILED = 1
CALL_WRONG = 2


@contextmanager
def exit_codes() -> Iterator[None]:
    """Ends the process with one sentence and the right exit code when something goes wrong inside."""
    try:
        yield
    except (SettingsError, ModelError, BulkError, TableError) as error:
        sys.stderr.write(f"Error: {error}\n")
        raise SystemExit(CALL_WRONG) from None
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        sys.stderr.write(f"Error: {where}{error.strerror or error}\n")
        raise SystemExit(RUN_FAILED) from None
    except Exception as error:
        sys.stderr.write(f"Error: {type(error).__name__}: {error}\n")
        raise SystemExit(RUN_FAILED) from None

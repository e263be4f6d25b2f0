"""Requests beyond the bound of those under way that their route refuses: pages of other sites send them.

All others are refused by bytes, before any layer (`app/process/concurrency.py`). A browser shows a page no answer
without the headers for its origin, which a layer writes.
"""

from app.core.errors import Overloaded

EXCESS = "sluice.excess"
"""Key in the scope of such a request."""

RETRY_AFTER_S = 1


def too_many() -> Overloaded:
    """Returns the error of a request that is one too many."""
    return Overloaded("The server is busy; try again later.", RETRY_AFTER_S)

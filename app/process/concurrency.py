"""Bound of the requests under way in one process; more are refused before their body is read.

With single texts the event loop is the limit, not the queue of the model: requests that nobody has read wait in
sockets, and what they cost before a queue refuses them is nearly what an answer costs.
A refusal here costs a small part of that.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from app.http.excess import too_many
from app.http.problems import error_response, response_bytes
from app.telemetry.counters import Counter

BURST_S = 0.1
"""Time for which more requests than the bound may be under way: many that come at once are served, a flood is not."""

HOLD_S = 1.0
"""Time from a refusal for which only a part of the bound may be under way."""

HELD_PART = 4
"""Of the bound, one part in so many is enough to keep the model busy. With fewer under way a turn of the event loop is
short, and refusals, new connections and readiness, which wait for turns, are answered in time."""

CALM_S = 1.0
"""Time without a refusal after which a burst is served again."""

MAX_BODY_BYTES = 32_768
"""Most bytes of a body that is read and dropped, so that the connection stays open. What is larger goes to the queue of
the model, which counts texts and tokens."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer to requests of one route, and the counter of those that got it.

    Attributes:
        kept, closing: bytes of the answer, after which the connection stays open or closes.
    """

    kept: bytes
    closing: bytes
    counter: Counter


class ConcurrencyLimit:
    """Counts the requests for classification under way, and says which come too many.

    A burst of more than the bound is served if it is over within `BURST_S`. Then as many are refused as keep a part of
    the bound for `HOLD_S`, and after that the bound, until none had to be for `CALM_S`. So clients that together stay
    below the bound are served again however often they ask. Source of two bounds, by whether a queue stands: Maurer
    2015, "Fail at Scale", ACM Queue 13 (8).

    Args:
        bound: most requests under way for longer than a burst.
        cross_origin: whether pages of other sites may ask. What they send is refused by its route, not by a `Refusal`.

    Attributes:
        cross_origin: see above.
        under_way: requests being answered.
        waiting: connections that nobody has accepted yet, each taken for a request.
    """

    def __init__(self, bound: int, *, cross_origin: bool = False) -> None:
        self.cross_origin = cross_origin
        self.under_way = 0
        self.waiting = 0
        self._bound = bound
        self._held_bound = max(1, bound // HELD_PART)
        self._held_until = 0.0
        self._refusals: dict[bytes, Refusal] = {}
        self._ends = _ends_of(self._refusals)
        self._last_below = 0.0
        self._last_refusal = -CALM_S
        self._refused = 0

    def watch(self, routes: Iterable[str], counter_of: Callable[[str], Counter]) -> None:
        """Bounds these routes; `counter_of` counts the refusals of each."""
        for route in routes:
            answer = error_response(route, too_many())
            kept, closing = (response_bytes(answer, close=close) for close in (False, True))
            self._refusals[route.encode()] = Refusal(kept, closing, counter_of(route))
        self._ends = _ends_of(self._refusals)

    def refusal_for(self, url: bytes) -> Refusal | None:
        """The answer to a POST request for `url` if it were refused; None if its route has no bound.

        The route is the longest that the path ends with, since a proxy may put a prefix before it.
        """
        path = url.partition(b"?")[0]
        refusal = self._refusals.get(path)
        if refusal is None and (end := self._ends.search(path)):
            refusal = list(self._refusals.values())[(end.lastindex or 0) - 1]
        return refusal

    def admits(self, now: float) -> bool:
        """Tells if a request that has been read is taken at `now`, in seconds of a steady clock."""
        held = now < self._held_until
        return self._excess(self.under_way, self._held_bound if held else self._bound, now) < 0

    def excess(self, now: float) -> int:
        """By how many the requests at `now`, accepted or not, exceed the bound; not above 0 where there is room.

        The whole bound: the event loop accepts too few at a time to have so many of these under way.
        """
        return self._excess(self.under_way + self.waiting, self._bound, now)

    def _excess(self, requests: int, bound: int, now: float) -> int:
        calm = now - self._last_refusal > CALM_S
        if calm and self.under_way + self.waiting < self._bound:
            self._last_below = now
        return -1 if calm and now - self._last_below <= BURST_S else requests - bound

    def count(self, refusal: Refusal, now: float) -> None:
        """Counts a request that was refused at `now`."""
        refusal.counter.inc()
        self.note(now)

    def note(self, now: float) -> None:
        """Notes that a request is refused at `now`, without counting it for its route."""
        if now >= self._held_until:
            self._held_until = now + HOLD_S
        self._last_refusal = now
        self._refused += 1

    def enter(self) -> None:
        """Gives a request a place, until `leave`."""
        self.under_way += 1

    def leave(self) -> None:
        """Takes the place of a request back, which has ended."""
        self.under_way -= 1

    def take_refused(self) -> int:
        """Number of requests refused since the last call."""
        refused, self._refused = self._refused, 0
        return refused


def _ends_of(routes: Iterable[bytes]) -> re.Pattern[bytes]:
    """A pattern that finds the longest of these routes that a path ends with: the group with its number, from 1."""
    ends = [re.sub(rb"\\{\w+\\}", b"[^/]+", re.escape(route)) for route in routes]
    return re.compile(rb"(?:%s)\Z" % b"|".join(b"(%s)" % end for end in ends))

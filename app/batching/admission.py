"""Admission of requests by texts and tokens under way, and the time after which to come back."""

import math
import threading
import time

from app.core.errors import Overloaded

RATE_MEMORY_S = 5.0
"""Time constant of the measured rate, in seconds of computing."""

MAX_RETRY_AFTER_S = 60


class Permit:
    """Room that one request holds. `release` gives it back, and may be called more than once."""

    def __init__(self, admission: "Admission", texts: int, tokens: int) -> None:
        self._admission = admission
        self._texts = texts
        self._tokens = tokens

    def replace_tokens(self, estimated: int, actual: int) -> None:
        """Corrects the estimate of some of the texts, after tokenising."""
        with self._admission.lock:
            if self._texts:
                self._tokens += actual - estimated
                self._admission.tokens += actual - estimated

    def release(self) -> None:
        """Makes room for others."""
        with self._admission.lock:
            self._admission.texts -= self._texts
            self._admission.tokens -= self._tokens
            self._texts = self._tokens = 0


class Admission:
    """Counts of texts and tokens under way. A request gets room for all of its texts, or an error at once.

    Attributes:
        texts: under way, from admission to the answer.
        tokens: the same in tokens, estimated until a text is tokenised.
    """

    def __init__(self, *, max_texts: int, max_tokens: int) -> None:
        self.lock = threading.Lock()
        self.texts = 0
        self.tokens = 0
        self._max_texts = max_texts
        self._max_tokens = max_tokens
        self._computed_tokens = 0.0
        self._computing_s = 0.0
        self._promised_until = 0.0

    def admit(self, texts: int, tokens: int, timeout_s: float) -> Permit:
        """Admits one request with all of its texts, or raises.

        A request that is larger than the whole queue is admitted when nothing else is under way: it could never be
        otherwise. One without texts to compute waits for nothing, and is always admitted.

        Raises:
            Overloaded: there is no room, or the work ahead would take longer than `timeout_s`; says when to come back.
        """
        with self.lock:
            wait_s = self._wait_s()
            full = self._is_full(texts, tokens, 1.0)
            if texts and self.texts and (full or wait_s > timeout_s):
                reason = "The queue has no room for this request" if full else "The answer would come too late"
                raise Overloaded(f"{reason}; try again later.", self._appointment_s(texts, wait_s))
            self.texts += texts
            self.tokens += tokens
        return Permit(self, texts, tokens)

    def has_room(self, texts: int, tokens: int, timeout_s: float, share: float) -> bool:
        """Tells if a request would be admitted to a queue of that share of its size."""
        with self.lock:
            return not self.texts or not (self._is_full(texts, tokens, share) or self._wait_s() > timeout_s)

    def computed(self, tokens: int, seconds: float) -> None:
        """Notes work that was done, from which the rate is measured."""
        with self.lock:
            kept = math.exp(-seconds / RATE_MEMORY_S)
            self._computed_tokens = self._computed_tokens * kept + tokens
            self._computing_s = self._computing_s * kept + seconds

    def _is_full(self, texts: int, tokens: int, share: float) -> bool:
        return self.texts + texts > share * self._max_texts or self.tokens + tokens > share * self._max_tokens

    def _appointment_s(self, texts: int, wait_s: float) -> int:
        """Seconds after which to come back: behind what is under way, and behind those told so before.

        Told the same time, all who were refused would come at once, and most of them in vain.
        """
        now = time.monotonic()
        appointment = min(max(self._promised_until, now + wait_s), now + MAX_RETRY_AFTER_S)
        # As if its texts were as long as those under way; their tokens are not counted yet.
        self._promised_until = appointment + wait_s * texts / self.texts
        return max(1, min(math.ceil(appointment - now), MAX_RETRY_AFTER_S))

    def _wait_s(self) -> float:
        """Seconds until what is under way now is done, at the measured rate; 0 before anything was measured."""
        if not self._computed_tokens:
            return 0.0
        return self.tokens * self._computing_s / self._computed_tokens

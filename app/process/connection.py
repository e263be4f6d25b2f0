"""One HTTP connection: its phase, and the refusal of headers without end."""

import asyncio
from dataclasses import dataclass
from time import monotonic
from typing import Any

import httptools

from app.core.errors import AppError, HeadersTooLarge, RequestError, RequestTooSlow
from app.http.excess import EXCESS
from app.http.numbers import whole_number
from app.http.request_log import begin_refused, cut_short
from app.process.concurrency import MAX_BODY_BYTES, ConcurrencyLimit, Refusal
from app.process.connections import Phase, raw_response
from app.process.exchange import Exchange
from app.process.half_closed import PROBE_AFTER_S, Begun, has_left
from app.process.protocol import HttpProtocol
from app.process.upgrade import HTTP_2_PREFACE, ONLY_HTTP_1, head_without_offer, offers

MAX_HEAD_BYTES = 65_536
"""Bytes that may come without completing the headers, or without being part of a body. What arrives in one piece with
the end of the headers passes: the kernel hands over at most four times as much."""

NO_ADDRESS = "The address is not valid: letters beyond ASCII stand in it percent-encoded, such as %E5%A5%BD."


class Connection(HttpProtocol):
    """Connection whose phase is checked from time to time."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._phase: Phase | None = None
        self._subject: object = None
        self._since = 0.0
        self._half_closed = False
        self._progress: _Progress | None = None
        self._refusal: Refusal | None = None
        self._has_refused = False
        self._last_refused: object = None
        self._useless_bytes = 0
        self._is_broken = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Takes the connection if there is room for one more."""
        if self.server_state.queue is not None:
            self.server_state.queue.shed(monotonic())
        if self.server_state.full:
            self.server_state.refuse(transport)
        else:
            super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        """Reads data, and bounds what does not bring a request further."""
        self.stop_idling()
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as offer:
            self._decline(data, offer)
        except httptools.HttpParserInvalidURLError:
            self._refuse_bytes(NO_ADDRESS)
        except httptools.HttpParserError:
            self._refuse_bytes(ONLY_HTTP_1 if data.startswith(HTTP_2_PREFACE) else "")
        exchange = self.exchange
        if self._has_refused:
            self._has_refused, self._progress = False, None
        elif exchange is None or exchange.more_body or exchange.scope is not self.scope:
            self._bound(len(data))

    def eof_received(self) -> bool:
        """Keeps the connection of a client that sends nothing more but waits for its answer."""
        exchange = self.exchange
        if exchange is None or exchange.more_body or exchange.response_complete or has_left(self.transport):
            return False
        exchange.keep_alive = False
        self._half_closed = True
        self.loop.call_later(PROBE_AFTER_S, self._probe, exchange)
        return True

    def _probe(self, exchange: Exchange) -> None:
        if not (exchange.response_started or self.pipeline or self.transport.is_closing()):
            exchange.transport = Begun(self.transport)
            self.loop.call_later(PROBE_AFTER_S, self._drop_if_left)

    def _drop_if_left(self) -> None:
        if has_left(self.transport):
            self.transport.abort()

    def on_headers_complete(self) -> None:
        """Begins a request, unless it offers an upgrade (then `_decline` does) or is one too many."""
        if offers(self.parser):
            return
        limit = self.server_state.requests
        refusal = self._bounded(limit)
        if refusal is None:
            super().on_headers_complete()
        elif limit.admits(monotonic()) or self.expects_continue or not _is_small(self.headers):
            super().on_headers_complete()
            limit.enter()
            assert self.exchange is not None  # noqa: S101  # it has just begun
            self.exchange.at_end = limit.leave
        elif limit.cross_origin and self.scope is not None and _has_origin(self.headers):
            limit.note(monotonic())
            self.scope[EXCESS] = True
            super().on_headers_complete()
        else:
            self._refusal = refusal

    def on_body(self, body: bytes) -> None:
        """Passes a part of the body on, or drops it."""
        if self._refusal is None:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """Ends a request; the parser takes one that offers an upgrade for complete before its body has come."""
        if self._refusal is not None:
            self._send_refusal(self._refusal)
        elif not offers(self.parser):
            super().on_message_complete()

    def _bounded(self, limit: ConcurrencyLimit) -> Refusal | None:
        """The refusal of the request if it is one too many; None if its route has no bound or another is ahead of it.

        One with a body that is large, or that the client has yet to be asked for, is not refused here.
        """
        if self.exchange is not None and not self.exchange.response_complete:
            return None
        return limit.refusal_for(self.url) if self.parser.get_method() == b"POST" else None

    def _send_refusal(self, refusal: Refusal) -> None:
        self._refusal = None
        self.server_state.requests.count(refusal, monotonic())
        stays = self.parser.should_keep_alive()
        self.transport.write(refusal.kept if stays else refusal.closing)
        if not stays:
            self.transport.close()
        self._has_refused, self._last_refused = True, self.scope
        self.scope = None  # no request is under way

    def _decline(self, data: bytes, offer: httptools.HttpParserUpgrade) -> None:
        """Reads on as if no upgrade had been offered.

        For the parser, what follows such headers is another protocol. A new one gets the headers without the offer, and
        then what follows.
        """
        rest = memoryview(data)
        while True:
            rest = rest[offer.args[0] :]
            head = b""
            if offers(self.parser):
                head = head_without_offer(self.parser, self.url, self.headers)
                self.begin_parsing()
            try:
                self.parser.feed_data(head)
                self.parser.feed_data(rest)
            except httptools.HttpParserUpgrade as next_offer:  # of the next request in the pipeline
                offer = next_offer
            except httptools.HttpParserError:
                self._refuse_bytes()
                return
            else:
                return

    def check(self, now: float) -> None:
        """Cuts the connection if it has been in one phase for too long; `now` in seconds of `time.monotonic`."""
        if self._half_closed:
            self._drop_if_left()
        phase, subject = self._current()
        if phase is not self._phase or subject is not self._subject:
            self._phase, self._subject, self._since = phase, subject, now
        elif now - self._since > self.server_state.timeouts_s[phase]:
            self._cut(phase)

    def _current(self) -> tuple[Phase, object]:
        """Phase, and the object that is another one when the same phase begins anew."""
        exchange = self.exchange
        if self.transport.is_closing():
            return Phase.CLOSING, None
        if self.scope is None:
            return (Phase.SILENT, None) if self._last_refused is None else (Phase.IDLE, self._last_refused)
        ahead = self.answering
        if ahead is not None and not ahead.response_complete:
            exchange = ahead  # what has begun to come behind it has its time once it is answered
        elif exchange is None or exchange.scope is not self.scope:
            return Phase.HEADERS, self.scope
        if exchange.response_complete:
            return Phase.IDLE, exchange
        if exchange.more_body and not exchange.response_started:
            return Phase.BODY, exchange
        if self.write_paused and not exchange.chunked:
            return Phase.SENDING, exchange
        return Phase.ANSWERING, exchange

    def _cut(self, phase: Phase) -> None:
        self.server_state.inc_cut("answer" if phase is Phase.CLOSING else phase.value)
        late = RequestTooSlow(f"The {phase.value} did not arrive within {self.server_state.timeouts_s[phase]:g} s.")
        if phase is Phase.HEADERS:
            self._refuse(late)
        elif phase is Phase.BODY:
            # The handler that waits for the body sees that the client is gone, and the log why.
            assert self.exchange is not None  # noqa: S101  # it has begun a body
            cut_short(self.exchange.scope, late)
            self._refuse(late)
        elif phase in (Phase.SENDING, Phase.CLOSING):
            self.transport.abort()
        else:
            self.transport.close()

    def _bound(self, num_bytes: int) -> None:
        """Counts bytes without progress: endless headers, trailers, or the rest of what was refused."""
        exchange = self.exchange
        if exchange is not None and exchange.scope is not self.scope:
            exchange = None  # the headers of the next request are coming
        body = b"" if exchange is None else exchange.body
        # The body is another object each time that the application has taken some of it.
        progress = _Progress(self.scope, body, len(body))
        if self._progress is not None and progress.same_as(self._progress):
            self._useless_bytes += num_bytes
        else:
            self._useless_bytes = num_bytes if exchange is None else 0
        self._progress = progress
        dropping = exchange is not None and exchange.response_complete
        most = self.server_state.max_dropped_bytes if dropping else MAX_HEAD_BYTES
        if self._useless_bytes <= most or self.transport.is_closing():
            return
        self.server_state.inc_cut("headers_size")
        if exchange is None:
            self._refuse(HeadersTooLarge(f"The headers have more than {MAX_HEAD_BYTES} bytes."))
        else:
            self.transport.abort()

    def _refuse_bytes(self, reason: str = "") -> None:
        """Refuses what is not HTTP/1, as any other error; what follows cannot be read."""
        if self._is_broken:
            return
        self._is_broken = True
        error = RequestError(reason or "This is not a valid HTTP request.")
        exchange = self.exchange
        if exchange is not None and exchange.more_body and exchange.scope is self.scope:
            cut_short(exchange.scope, error)
            self._refuse(error)
        else:
            self._begin_refused(error)

    def _begin_refused(self, error: AppError) -> None:
        """Begins a request whose headers are broken, for the application to refuse in its turn."""
        before = self.exchange
        if self.scope is None or (before is not None and before.scope is self.scope):
            self.on_message_begin()
        assert self.scope is not None  # noqa: S101  # it has begun
        begin_refused(self.scope, error)
        url, self.url = self.url, b"/"
        super().on_headers_complete()
        if not url:  # the method is none either
            self.scope["method"] = "other"
        assert self.exchange is not None  # noqa: S101  # it has just begun
        self.exchange.keep_alive = False
        self.exchange.end_body()

    def _refuse(self, error: AppError) -> None:
        self.transport.write(raw_response(error))
        self.transport.close()


def _has_origin(headers: list[tuple[bytes, bytes]]) -> bool:
    return any(name == b"origin" for name, _ in headers)


def _is_small(headers: list[tuple[bytes, bytes]]) -> bool:
    lengths = (whole_number(value) for name, value in headers if name == b"content-length")
    return any(length is not None and length <= MAX_BODY_BYTES for length in lengths)


@dataclass(frozen=True, slots=True)
class _Progress:
    """Progress of a request: its scope, and its body so far."""

    scope: object
    body: object
    num_bytes: int

    def same_as(self, other: "_Progress") -> bool:
        return self.scope is other.scope and self.body is other.body and self.num_bytes == other.num_bytes

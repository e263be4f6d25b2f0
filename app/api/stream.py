"""`POST /predict/stream`: NDJSON in, NDJSON out, one entry a line in order, in bounded memory however long it is.

    read a piece -> groups of lines -> wait for room, submit -> a few groups under way -> answer the oldest

Nothing is read while enough groups are under way, and none is answered before the client has taken the last answer:
backpressure, with bounded memory. A line that fails gets its error and the rest goes on.
"""

import asyncio
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from urllib.parse import parse_qsl

import msgspec
from starlette.types import Receive, Scope, Send

from app.api.endpoint import Classified, submit, version_header
from app.api.ndjson import (
    MAX_LINE_BYTES,
    NDJSON,
    Asked,
    LineCutter,
    LineFailure,
    LinePrediction,
    StreamLine,
    answer_line,
    is_blank,
    read_line,
)
from app.api.openapi import CLASSIFICATION, EXAMPLES, DocumentedRoute, Operation, described
from app.api.selection import Selection, Wanted, select
from app.config.sections import RequestLimits
from app.core.errors import (
    AppError,
    BrokenEncoding,
    ClientGone,
    InvalidRequest,
    NotReady,
    UnknownModel,
    UnsupportedEncoding,
)
from app.core.job import Outcome
from app.deployment.registry import Registry, ServedModel
from app.http.content_coding import inflated
from app.http.deadline import timeout_s
from app.http.disconnect import next_part
from app.http.numbers import whole_number
from app.http.request_log import RequestRecord

PATH = "/predict/stream"

GROUP_LINES = 64
"""Lines that go to the batcher at once, of those that came together: none waits for the next piece of the body."""

GROUPS = 4
"""Groups under way before the next one is waited for: enough that the device has work while answers are sent."""

QUEUE_SHARE = 0.5
"""Share of the model's queue that streams may fill, so that they never crowd out single requests."""

ROOM_POLL_S = 0.02
PATIENCE_S = 30.0
"""Time that a group waits for room before its lines get the error `overloaded`."""

STALL_S = 60.0
"""Time in which a client takes no answer, or sends nothing, after which its connection is cut."""

MAX_TOP_K = 999_999_999

BAD_MIN_PRECISION = "`min_precision` in the query must be a number above 0 and at most 1."
BAD_TOP_K = "`top_k` in the query must be a whole number from 1 up."

_NUMBER = re.compile(r"[0-9]{1,20}(\.[0-9]{0,20})?([eE][+-]?[0-9]{1,3})?|\.[0-9]{1,20}")
_encode_lines = msgspec.json.Encoder().encode_lines


@dataclass(frozen=True, slots=True)
class Group:
    """Lines that go to the batcher together.

    Attributes:
        lines: the number of each, and the line or its error.
        classified: the texts of the lines without an error, or the error of all of them.
    """

    lines: list[tuple[int, Asked | AppError]]
    classified: Classified | AppError


def stream_route(registry: Registry, limits: RequestLimits) -> DocumentedRoute:
    """Returns the route of `POST /predict/stream`."""
    return DocumentedRoute(PATH, Stream(registry, limits), _operation())


def _operation() -> Operation:
    model = described("string", "Name of the model; the server's default if absent.")
    about = "Only so many of the best labels, unless a line says else."
    top_k = described("integer", about, minimum=1, maximum=MAX_TOP_K)
    labels = described("array", "Labels to choose among, each by a parameter of its own, unless a line says else.")
    labels["schema"] |= {"items": {"type": "string"}, "minItems": 1, "uniqueItems": True}
    about = "Share of cases in which labels are to be right, else they are null; unless a line says else."
    min_precision = described("number", about, exclusiveMinimum=0, maximum=1)
    query = {"model": model, "top_k": top_k, "labels": labels, "min_precision": min_precision}
    return Operation(
        id="predict_stream",
        tag=CLASSIFICATION,
        summary="Classify any number of texts, a line each",
        description="NDJSON in, a `StreamLine` a line; NDJSON out, a `LinePrediction` or a `LineFailure` a line, in "
        "order, while the request is still being sent. Read while you write: the server does not read on while its "
        "answers are not taken. Empty lines are counted but have no answer. A line may have "
        f"{MAX_LINE_BYTES} bytes; the deadline is each line's, not the stream's.",
        answer="A `LinePrediction` or a `LineFailure` a line, in order, all by one version of the model.",
        request=str,
        response=str,
        kinds=(StreamLine, LinePrediction, LineFailure),
        examples=EXAMPLES["stream"],
        media_type=NDJSON,
        errors=[UnknownModel(), UnsupportedEncoding(), InvalidRequest(BAD_TOP_K), NotReady(retry_after_s=1)],
        parameters=[{"name": name, "in": "query", **parameter} for name, parameter in query.items()],
    )


class Stream:
    """The ASGI application that answers streams."""

    def __init__(
        self, registry: Registry, limits: RequestLimits, *, patience_s: float = PATIENCE_S, stall_s: float = STALL_S
    ) -> None:
        self.limits = limits
        self.patience_s = patience_s
        self.stall_s = stall_s
        self.threads = registry.tokenisers
        self._registry = registry

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one stream of lines.

        Raises:
            AppError: it gets no answer at all; says why.
        """
        receive = inflated(scope, receive)
        name, wanted = query_of(scope)
        model = self._registry.get(name)
        model.check_labels()
        select(model.classifier, wanted)  # what no line can be answered with is refused at once
        record = RequestRecord.of(scope)
        record.model, record.texts, record.tokens = model.name, 0, 0
        flow = _Flow(self, model, record, wanted, timeout_s(scope, self.limits.deadline_ms))
        headers = [(b"content-type", NDJSON.encode()), version_header(model)]
        # All lines are answered by one version, which stays until the last one even if it is replaced meanwhile.
        with model.batcher.held():
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await flow.run(receive, send)


@dataclass(slots=True)
class _Flow:
    """One stream: a task that reads and submits, one that answers, and the groups between them."""

    stream: Stream
    model: ServedModel
    record: RequestRecord
    wanted: Wanted
    deadline_s: float
    under_way: asyncio.Queue[Group | None] = field(default_factory=lambda: asyncio.Queue(GROUPS))

    async def run(self, receive: Receive, send: Send) -> None:
        """Ends when the last line is answered, or when the client has left; then without an end of the body."""
        reading = asyncio.create_task(self._read(receive, send))
        answering = asyncio.create_task(self._answer(send))
        try:
            done, _ = await asyncio.wait((reading, answering), return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        except (ClientGone, TimeoutError):
            pass  # nobody reads any more; the server cuts the connection since the answer has no end
        finally:
            reading.cancel()
            answering.cancel()
            await asyncio.gather(reading, answering, return_exceptions=True)
            self._drop()

    async def _read(self, receive: Receive, send: Send) -> None:
        cutter = LineCutter()
        number = 0
        more = True
        while more:
            try:
                async with asyncio.timeout(self.stream.stall_s):
                    message = await next_part(receive)
            except BrokenEncoding as error:
                await self.under_way.put(Group([(number + 1, error)], error))
                break
            more = message.get("more_body", False)
            lines = cutter.feed(message.get("body", b""), last=not more)
            while group := list(islice(lines, GROUP_LINES)):
                asked = [(n, self._read_line(line)) for n, line in enumerate(group, number + 1) if not is_blank(line)]
                number += len(group)
                if asked:
                    await self.under_way.put(Group(asked, await self._submit(asked, send)))
                else:
                    await self._send(send, b"")  # raises if the client has left
                    await asyncio.sleep(0)  # the turn of other requests
        await self.under_way.put(None)
        while True:  # until the client leaves
            await next_part(receive)

    def _read_line(self, line: bytes | None) -> Asked | AppError:
        return read_line(line, self.model.classifier, self.wanted)

    async def _submit(self, lines: list[tuple[int, Asked | AppError]], send: Send) -> Classified | AppError:
        texts = [line.text for _, line in lines if isinstance(line, Asked)]
        nothing = partial(self._send, send, b"")  # raises if the client has left: nothing is read while this waits
        if self.record.account is not None:
            await self.record.account.pace(len(texts), nothing)
        patient_until = time.monotonic() + self.stream.patience_s
        while texts and not self.model.batcher.has_room(texts, self.deadline_s, QUEUE_SHARE):
            if time.monotonic() >= patient_until:
                break
            await asyncio.sleep(ROOM_POLL_S)
            await nothing()
        try:
            return submit(self.model, texts, self.deadline_s, self.stream.limits.max_chars)
        except AppError as error:
            return error

    async def _answer(self, send: Send) -> None:
        while (group := await self.under_way.get()) is not None:
            outcomes = await self._outcomes(group)
            if isinstance(group.classified, Classified) and group.classified.is_large:
                loop = asyncio.get_running_loop()
                body = await loop.run_in_executor(self.stream.threads, self._render, group, outcomes)
            else:
                body = self._render(group, outcomes)
            await self._send(send, body)
        await send({"type": "http.response.body", "body": b""})

    def _render(self, group: Group, found: Sequence[Outcome]) -> bytes:
        outcomes, labels = iter(found), self.model.classifier.labels
        entries = []  # a list, since msgspec's encode_lines never frees what an iterator yields
        for number, line in group.lines:
            outcome, selection = (next(outcomes), line.selection) if isinstance(line, Asked) else (line, Selection())
            entries.append(answer_line(number, outcome, labels, selection))
        return _encode_lines(entries)

    async def _send(self, send: Send, body: bytes) -> None:
        async with asyncio.timeout(self.stream.stall_s):
            await send({"type": "http.response.body", "body": body, "more_body": True})

    async def _outcomes(self, group: Group) -> Sequence[Outcome]:
        if isinstance(group.classified, AppError):
            return [group.classified] * len(group.lines)
        try:
            await group.classified.job.done
        except AppError as error:
            return [error] * len(group.lines)
        self.record.texts = (self.record.texts or 0) + len(group.classified.places)
        self.record.tokens = (self.record.tokens or 0) + group.classified.job.num_tokens
        return group.classified.outcomes

    def _drop(self) -> None:
        while not self.under_way.empty():
            group = self.under_way.get_nowait()
            if group is not None and isinstance(group.classified, Classified):
                group.classified.job.fail(ClientGone())


def query_of(scope: Scope) -> tuple[str | None, Wanted]:
    """Returns the model that a query names, and the part of the scores that it asks for.

    Raises:
        InvalidRequest: `top_k` or `min_precision` is not a number in its bounds; one but `labels` has several values.
    """
    pairs = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    values, labels = dict(pairs), [value for name, value in pairs if name == "labels"]
    for name in ("model", "top_k", "min_precision"):
        if len({value for found, value in pairs if found == name}) > 1:
            raise InvalidRequest(f"The query has several values of `{name}`; it may have one.")
    wanted = Wanted(_top_k(values.get("top_k")), labels or None, _share(values.get("min_precision")))
    return values.get("model"), wanted


def _top_k(value: str | None) -> int | None:
    if value is None:
        return None
    number = whole_number(value.encode())
    if number is None or not 1 <= number <= MAX_TOP_K:
        raise InvalidRequest(BAD_TOP_K)
    return number


def _share(value: str | None) -> float | None:
    if value is None:
        return None
    share = float(value) if _NUMBER.fullmatch(value) else 0.0
    if not 0 < share <= 1:
        raise InvalidRequest(BAD_MIN_PRECISION)
    return share

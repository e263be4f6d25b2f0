"""Queue of requests for explanations, first come, first served, in front of the one process that explains.

    permit -> turn -> process -> answer

Each text of a request waits for a turn of its own, so that a long request does not block the others. A client that
leaves meanwhile leaves the queue. Room and waits are counted in tokens, which are estimated from characters since
nothing here reads a text.
"""

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from app.api.rendering import failed
from app.batching.admission import Admission, Permit
from app.config.sections import ExplainSettings
from app.core.errors import InvalidRequest, NotReady, TextTooLong, row_of
from app.deployment.registry import Registry, ServedModel
from app.explain.fork import Forked
from app.explain.process import RETRY_AFTER_S, ExplainProcess, died
from app.explain.wire import Ask, Reply
from app.telemetry.metrics import Metrics
from model.explain.explanation import Options

TYPICAL_TOKENS = 128
"""Estimated tokens of a typical text; the queue has room for so many per text."""

_encode = msgspec.json.Encoder().encode


class Explained(msgspec.Struct, frozen=True):
    """Entry of one text in the answer, as JSON, and its number of tokens."""

    entry: msgspec.Raw
    tokens: int = 0


class Explanations:
    """Queue of texts and the process behind it. For the event loop only.

    Args:
        registry: of the versions that may be explained again.
        settings: of explanations.
        metrics: of the server.
        max_chars: of a text.
        stuck_after_s, log_level, forked: of the process; see there.

    Attributes:
        process: that explains.
        admission: of texts under way and their estimated tokens.
    """

    def __init__(
        self,
        registry: Registry,
        settings: ExplainSettings,
        metrics: Metrics,
        *,
        max_chars: int,
        stuck_after_s: float,
        log_level: str,
        forked: Forked | None = None,
    ) -> None:
        self.process = ExplainProcess(
            threads=settings.threads,
            stuck_after_s=stuck_after_s,
            log_level=log_level,
            lost=metrics.explain.restarts.inc,
            forked=forked,
        )
        texts = settings.queue_texts
        self.admission = Admission(max_texts=texts, max_tokens=texts * TYPICAL_TOKENS)
        self._registry = registry
        self._max_tokens = settings.max_tokens
        self._max_chars = max_chars
        self._metrics = metrics
        self._turn = asyncio.Lock()
        self._tasks: set[asyncio.Task[tuple[Reply, bytes]]] = set()
        metrics.explain.texts.set_function(lambda: self.admission.texts)

    def admit(self, texts: Sequence[str], timeout_s: float) -> Permit:
        """Takes room for one request, to be released when it is over.

        Raises:
            Overloaded: there is no room, or the answer would come too late.
        """
        return self.admission.admit(len(texts), sum(map(self._estimate, texts)), timeout_s)

    async def explain(
        self, model: ServedModel, texts: Sequence[str], options: Options, permit: Permit
    ) -> list[Explained]:
        """Explains texts, one entry each in order. Cancel it when nobody wants the answer any more.

        Args:
            model: version that explains.
            texts: of one request.
            options: of each explanation.
            permit: of these texts.

        Raises:
            NotReady: the process died, or cannot explain this version.
            InvalidRequest: the model has no such unit.
        """
        deaths = self.process.deaths
        found = []
        for text in texts:
            found.append(await self._one(model, text, options, deaths))
            permit.replace_tokens(self._estimate(text), 0)  # done: nobody waits for these tokens any more
        return found

    async def close(self) -> None:
        """Ends the process; requests that still wait fail."""
        await self.process.close()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _estimate(self, text: str) -> int:
        return max(1, min(len(text), self._max_tokens))

    async def _one(self, model: ServedModel, text: str, options: Options, deaths: int) -> Explained:
        most = self._max_chars
        if len(text) > most:
            error = TextTooLong.over(most, len(text))
            model.metrics.inc_failed(row_of(error).code)
            return Explained(msgspec.Raw(_encode(failed(error))))
        await self._turn.acquire()
        if self.process.deaths != deaths:
            self._turn.release()
            raise died()
        task = asyncio.create_task(self._exchange(model, self._ask(model, text, options)))
        self._tasks.add(task)
        task.add_done_callback(self._next)
        # The answer comes even if nobody waits for it any more, and must be taken before the next question.
        reply, entry = await asyncio.shield(task)
        match reply.about:
            case "call":
                raise InvalidRequest(reply.detail)
            case "model":
                raise NotReady(reply.detail, retry_after_s=RETRY_AFTER_S)
        return Explained(msgspec.Raw(entry), reply.tokens)

    def _ask(self, model: ServedModel, text: str, options: Options) -> Ask:
        return Ask(
            path=str(Path(model.source.path).absolute()),
            version=model.version,
            keep=[served.version for deployment in self._registry.loaded for served in deployment.versions],
            max_tokens=self._max_tokens,
            text=text,
            options=options,
        )

    async def _exchange(self, model: ServedModel, ask: Ask) -> tuple[Reply, bytes]:
        await self.process.ready()
        started = time.monotonic()
        reply, entry = await self.process.ask(ask)
        seconds = time.monotonic() - started
        self.admission.computed(self._estimate(ask.text), seconds)
        self._metrics.explain.seconds.labels(model.name).observe(seconds)
        if reply.error_type:
            model.metrics.inc_failed(reply.error_type)
        return reply, entry

    def _next(self, task: "asyncio.Task[tuple[Reply, bytes]]") -> None:
        self._tasks.discard(task)
        task.exception()  # seen, even if nobody waits for it any more
        self._turn.release()

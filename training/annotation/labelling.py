"""Labels of many texts from a chat endpoint: several texts a call, several calls at a time.

An answer counts text by text. What has no usable answer is asked about again, each text alone, twice at most and less
strictly each time; an answer that was cut gets more room. So a text that confuses the model spoils no other one.
"""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from training.annotation.answers import CUT, Answer, Judged, Outcome, Unlabelled, judge
from training.annotation.client import CallFailedError, ChatClient, Endpoint, RefusedError
from training.annotation.cost import answer_tokens
from training.annotation.kept import KeptAnswers
from training.annotation.prompt import Prompt
from training.errors import RunError

TEMPERATURES = (0.0, 0.3, 0.7)
"""Of the first answer, and of the further ones if it is not usable."""

ROOM_TOKENS = 64
"""Of an answer, beside what the labels take."""

MORE_ROOM, MOST_ROOM = 4, 64
"""Factors by which a cut answer's room grows, each time and at most. A model that thinks aloud needs it."""

MOST_FAILURES = 5
"""Calls in a row that fail after all retries; then the run stops, and goes on when it is started again."""


@dataclass(slots=True)
class Usage:
    """Requests and tokens of a run, as the endpoint counted them."""

    requests: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    counted: bool = True

    def add(self, answer: Answer) -> None:
        """Adds the tokens of an answer."""
        if answer.tokens_in is None or answer.tokens_out is None:
            self.counted = False
        self.tokens_in += answer.tokens_in or 0
        self.tokens_out += answer.tokens_out or 0


@dataclass(frozen=True, slots=True)
class Progress:
    """Progress of a labelling."""

    done: int
    total: int
    texts_per_s: float


@dataclass(slots=True)
class Labeller:
    """Asks about texts and keeps the answers.

    Attributes:
        endpoint: whom to ask.
        prompt: how.
        kept: gets each answer as it comes.
        texts_per_call: texts of one request.
        concurrency: requests at a time.
        say: gets a line for each field that the endpoint refuses.
        report: is called after each answer.
        usage: requests and tokens so far.
    """

    endpoint: Endpoint
    prompt: Prompt
    kept: KeptAnswers
    texts_per_call: int = 1
    concurrency: int = 8
    say: Callable[[str], None] = lambda _: None
    report: Callable[[Progress], None] = lambda _: None
    usage: Usage = field(default_factory=Usage)
    _failures: int = 0
    _room: int = 1

    def label(self, texts: Sequence[str]) -> dict[str, Unlabelled]:
        """Asks about these distinct texts, none of which is among the kept answers.

        Returns:
            The texts that have no label, and why.

        Raises:
            RunError: the endpoint cannot be reached, does not know the key or model, or fails again and again.
            OSError: an answer cannot be written.
        """
        try:
            return asyncio.run(self._label(texts))
        except ExceptionGroup as group:
            raise group.exceptions[0] from group

    async def _label(self, texts: Sequence[str]) -> dict[str, Unlabelled]:
        groups = iter(
            [texts[start : start + self.texts_per_call] for start in range(0, len(texts), self.texts_per_call)]
        )
        bad: dict[str, Unlabelled] = {}
        began, done = time.perf_counter(), 0

        async def work(client: ChatClient, groups: Iterator[Sequence[str]]) -> None:
            nonlocal done
            for group in groups:
                bad.update(await self._settle(client, group))
                done += len(group)
                self.report(Progress(done, len(texts), done / max(time.perf_counter() - began, 1e-9)))

        async with ChatClient(self.endpoint, say=self.say) as client:
            try:
                async with asyncio.TaskGroup() as tasks:
                    for _ in range(self.concurrency):
                        tasks.create_task(work(client, groups))
            finally:
                self.usage.requests += client.num_requests
        return bad

    async def _settle(self, client: ChatClient, texts: Sequence[str]) -> dict[str, Unlabelled]:
        """Asks until each text has a label or has been asked about often enough."""
        asked, room = [texts], self._room
        bad: dict[str, Unlabelled] = {}
        for temperature in TEMPERATURES:
            for group in asked:
                found = await self._ask(client, group, temperature=temperature, room=room)
                bad = {text: cause for text, cause in bad.items() if text not in group} | found
            if any(outcome.cause == CUT for outcome in bad.values()):
                room = min(room * MORE_ROOM, MOST_ROOM)
            else:
                self._room = max(self._room, room)
            asked = [[text] for text, outcome in bad.items() if not outcome.final]
        return bad

    async def _ask(
        self, client: ChatClient, texts: Sequence[str], *, temperature: float, room: int
    ) -> dict[str, Unlabelled]:
        """One call; returns the texts without a usable answer."""
        outcomes: Sequence[Outcome]
        settled = client.settled
        try:
            answer = await client.ask(
                self.prompt.messages(texts),
                schema=self.prompt.schema(len(texts)),
                max_tokens=room * (ROOM_TOKENS + answer_tokens(self.prompt, len(texts))),
                temperature=temperature,
            )
        except CallFailedError as error:
            self._count_failure(str(error))
            outcomes = [Unlabelled(str(error), final=len(texts) == 1)] * len(texts)
        except RefusedError as error:
            if not settled:
                self._count_failure(str(error))
            outcomes = [Unlabelled(f"refused: {error}", final=len(texts) == 1)] * len(texts)
        else:
            self._failures = 0
            self.usage.add(answer)
            outcomes = judge(answer, len(texts), self.prompt.labels)
        for text, outcome in zip(texts, outcomes, strict=True):
            if isinstance(outcome, Judged):
                self.kept.add(text, outcome)
        pairs = zip(texts, outcomes, strict=True)
        return {text: outcome for text, outcome in pairs if isinstance(outcome, Unlabelled)}

    def _count_failure(self, cause: str) -> None:
        self._failures += 1
        if self._failures == MOST_FAILURES:
            raise RunError(f"{MOST_FAILURES} calls in a row failed, the last one with: {cause}")

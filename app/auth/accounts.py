"""The keys in use: finding the one that a request shows, and what each may still use.

The file is looked at every second, so a key that is added, changed or withdrawn counts without a restart.
"""

import asyncio
import hmac
import logging
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from app.auth.keys import Key, digest_of, read_keys
from app.core.errors import RateLimited, SettingsError
from app.core.shared import Board
from app.telemetry.metrics import Metrics

logger = logging.getLogger(__name__)

LOOK_EVERY_S = 1.0

Number: TypeAlias = "memoryview[float]"
"""One float that other processes may share."""


class Account:
    """One key and what it has used, in all processes of the server.

    Attributes:
        key: as it is stored.
    """

    def __init__(self, key: Key, paid_until: Number, count_texts: Callable[[int], None]) -> None:
        self.key = key
        # Each text moves this time on by 1 / rate. How far it is ahead of now is how much of the burst is used up.
        self._paid_until = paid_until
        self._count_texts = count_texts

    def wait_s(self) -> float:
        """Seconds until the key may use another text; 0 if it may now."""
        if self.key.rate is None:
            return 0.0
        ahead_s = self._paid_until[0] - time.monotonic()
        return max(0.0, ahead_s - (self.key.burst - 1) / self.key.rate)

    def enter(self) -> None:
        """Takes what any request costs.

        Raises:
            RateLimited: the key has used up what it may; says when to come back.
        """
        wait_s = self.wait_s()
        if wait_s > 0:
            raise RateLimited(math.ceil(wait_s))
        self._spend(1)

    def classified(self, texts: int) -> None:
        """Takes what the texts of a request cost besides the request: also more than is left, which is then owed."""
        self._count_texts(texts)
        self._spend(max(0, texts - 1))

    async def pace(self, texts: int) -> None:
        """Waits until the key may go on, then takes what the texts cost."""
        while (wait_s := self.wait_s()) > 0:  # noqa: ASYNC110  # time sets no asyncio.Event
            await asyncio.sleep(wait_s)
        self._count_texts(texts)
        self._spend(texts)

    def _spend(self, texts: int) -> None:
        # Two processes that do this within the same microsecond count one of the two. A lock would be held for ever by
        # a process that is killed.
        if self.key.rate is not None:
            self._paid_until[0] = max(self._paid_until[0], time.monotonic()) + texts / self.key.rate


class Accounts:
    """All keys of a server.

    Args:
        inline, path: where they stand; see `app.auth.keys`.
        metrics: told of the texts of each.
        board: where processes of the same server share what a key has used; each counts for itself without.

    Raises:
        SettingsError: they cannot be read.
    """

    def __init__(self, inline: str, path: Path | None, metrics: Metrics, board: Board | None) -> None:
        self._inline = inline
        self._path = path
        self._metrics = metrics
        self._board = board
        self._seen = self._signature()
        self._accounts: dict[bytes, Account] = {}
        self._take(read_keys(inline, path))

    def __len__(self) -> int:
        """How many there are; without any everybody may ask."""
        return len(self._accounts)

    def find(self, secret: bytes) -> Account | None:
        """What belongs to a key. How long it takes depends on its hash only, which nobody can steer."""
        digest = digest_of(secret)
        account = self._accounts.get(digest)
        return account if account is not None and hmac.compare_digest(account.key.digest, digest) else None

    async def watch(self) -> None:
        """Reads the file again whenever it has changed. A broken one changes nothing and is logged."""
        while self._path is not None:
            await asyncio.sleep(LOOK_EVERY_S)
            signature = await asyncio.to_thread(self._signature)
            if signature != self._seen:
                self._seen = signature
                await self._reread()

    async def _reread(self) -> None:
        try:
            self._take(await asyncio.to_thread(read_keys, self._inline, self._path))
        except SettingsError as error:
            # The sentence is about the operator's file and shows nothing that stands in it.
            logger.error("the API keys stay as they were: %s", error)
        else:
            logger.info("API keys read", extra={"keys": len(self)})

    def _take(self, keys: list[Key]) -> None:
        self._accounts = {key.digest: self._account(key) for key in keys}

    def _account(self, key: Key) -> Account:
        before = self._accounts.get(key.digest)
        if before is not None and before.key == key:
            return before
        name = f"key-{key.digest.hex()[:32]}"
        number = memoryview(bytearray(8)).cast("d") if self._board is None else self._board.number(name)
        return Account(key, number, self._metrics.key_texts.of(key.name).inc)

    def _signature(self) -> tuple[int, int, int] | None:
        if self._path is None:
            return None
        try:
            found = self._path.stat()
        except OSError:
            return (0, 0, 0)
        return found.st_mtime_ns, found.st_size, found.st_ino

"""Accounts of the API keys in use: lookup by secret, and rate limits.

The file of keys is checked every second, so that a key is added, changed or revoked without a restart.
"""

import asyncio
import hmac
import logging
import math
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import compress
from pathlib import Path
from typing import TypeAlias

from app.auth.keys import Key, digest_of, read_keys
from app.config.settings import SettingsError
from app.core.errors import RateLimited
from app.core.shared import SharedFolder
from app.telemetry.metrics import Metrics

logger = logging.getLogger(__name__)

LOOK_EVERY_S = 1.0
"""Interval at which the file of keys is checked."""

Number: TypeAlias = "memoryview[float]"
"""One float in memory that processes may share."""


@dataclass(frozen=True, slots=True, eq=False)
class Account:
    """Usage of one key in all processes of the server.

    Attributes:
        key: with its roles and rate.
        paid_until: time on the clock. Each text moves it on by 1 / rate; how far it is ahead of now is how much of the
            burst is used up.
        count_texts: counts the texts of the key.
        clock: seconds of a clock that nobody sets.
    """

    key: Key
    paid_until: Number
    count_texts: Callable[[int], None]
    clock: Callable[[], float] = time.monotonic

    def wait_s(self) -> float:
        """Seconds until the key may send another text; 0 if it may now."""
        if self.key.rate is None:
            return 0.0
        ahead_s = self.paid_until[0] - self.clock()
        return max(0.0, ahead_s - (self.key.burst - 1) / self.key.rate)

    def enter(self) -> None:
        """Charges for one request.

        Raises:
            RateLimited: the key is over its rate; says when to come back.
        """
        wait_s = self.wait_s()
        if wait_s > 0:
            raise RateLimited(retry_after_s=math.ceil(wait_s))
        self._spend(1)

    def classified(self, texts: int) -> None:
        """Charges for the texts of a request beyond its first; a debt delays the next request."""
        self.count_texts(texts)
        self._spend(max(0, texts - 1))

    async def pace(self, texts: int, look: Callable[[], Awaitable[None]]) -> None:
        """Waits until the key is within its rate, then charges for the texts.

        Args:
            texts: number of them.
            look: awaited once a second and at the end of the wait; raises if nobody waits for the answers any more.
        """
        while (wait_s := self.wait_s()) > 0:
            await asyncio.sleep(min(wait_s, LOOK_EVERY_S))
            await look()
        self.count_texts(texts)
        self._spend(texts)

    def _spend(self, texts: int) -> None:
        # Two processes that do this within the same microsecond count one of the two. A lock would be held for ever by
        # a process that is killed.
        if self.key.rate is not None:
            self.paid_until[0] = max(self.paid_until[0], self.clock()) + texts / self.key.rate


@dataclass(eq=False)
class Accounts:
    """Accounts of all keys of a server; empty if everybody may ask.

    Attributes:
        inline, path: sources of the keys; see `app.auth.keys.read_keys`.
        metrics: counts the texts of each key.
        folder: shares usage among the processes of the server; without it each process counts alone.
        look_every_s: interval at which the file of keys is checked.

    Raises:
        SettingsError: the keys cannot be read.
        OSError: there is no room in the folder to share their usage.
    """

    inline: str
    path: Path | None
    metrics: Metrics
    folder: SharedFolder | None = None
    look_every_s: float = LOOK_EVERY_S

    def __post_init__(self) -> None:
        self._seen = self._signature()
        self._without_room = False
        self._accounts: dict[bytes, Account] = {}
        self._take(read_keys(self.inline, self.path))

    def __len__(self) -> int:
        """Number of keys; without any everybody may ask."""
        return len(self._accounts)

    def find(self, secret: bytes) -> Account | None:
        """Finds the account of a secret, in a time that depends on its hash alone, which nobody can choose."""
        digest = digest_of(secret)
        account = self._accounts.get(digest)
        return account if account is not None and hmac.compare_digest(account.key.digest, digest) else None

    async def watch(self) -> None:
        """Reads the file of keys again whenever it changes; a wrong file is logged and changes nothing.

        Also follows when what is shared about the keys moves to other files.
        """
        while self.path is not None or self.folder is not None:
            await asyncio.sleep(self.look_every_s)
            if self.folder is not None:
                await self._follow(self.folder)
            signature = await asyncio.to_thread(self._signature)
            if signature != self._seen and await self._reread():
                self._seen = signature

    async def _reread(self) -> bool:
        """Reads the file of keys; False if that is to be tried again though the file does not change."""
        try:
            self._take(await asyncio.to_thread(read_keys, self.inline, self.path))
        except SettingsError as error:
            # The message is about the operator's file and quotes nothing from it.
            logger.error("the API keys stay as they were, since the new ones cannot be used: %s", error)
        except OSError as error:
            if not self._without_room:
                extra = {"cause": error.strerror}
                logger.error("the API keys stay as they were, since use of the new ones cannot be shared", extra=extra)
            self._without_room = True
            return False
        else:
            logger.info("API keys read", extra={"keys": len(self)})
        self._without_room = False
        return True

    def _take(self, keys: list[Key]) -> None:
        self._accounts = {key.digest: self._account(key) for key in keys}

    def _account(self, key: Key) -> Account:
        before = self._accounts.get(key.digest)
        if before is not None and before.key == key:
            return before
        if self.folder is None or key.rate is None:
            number = memoryview(bytearray(8)).cast("d")
        else:
            number = self.folder.number(_file_of(key))
        return Account(key, number, self.metrics.requests.key_texts.labels(key.name).inc)

    async def _follow(self, folder: SharedFolder) -> None:
        """Moves the usage of keys to the files that the other processes use, after theirs were removed."""
        limited = [account for account in self._accounts.values() if account.key.rate is not None]
        names = [_file_of(account.key) for account in limited]
        moved = await asyncio.to_thread(list, map(folder.number_moved, names))
        with suppress(OSError):  # tried again at the next look
            for account, name in compress(zip(limited, names, strict=True), moved):
                number = folder.number(name)
                number[0] = max(number[0], account.paid_until[0])
                self._accounts[account.key.digest] = replace(account, paid_until=number)

    def _signature(self) -> tuple[int, int, int] | None:
        if self.path is None:
            return None
        try:
            found = self.path.stat()
        except OSError:
            return (0, 0, 0)
        return found.st_mtime_ns, found.st_size, found.st_ino


def _file_of(key: Key) -> str:
    return f"key-{key.digest.hex()[:32]}"

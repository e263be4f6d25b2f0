"""API keys: roles, rates and their form in a file.

A key is 256 random bits, so the server stores its SHA-256 only: a slow hash protects secrets that can be guessed, and
this one cannot. A line of the file, or a part of `SLUICE_API_KEYS` between semicolons:

    search sha256:9f86d0… roles=predict rate=50 burst=200
"""

import hashlib
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from app.config.settings import SettingsError

PREFIX = "sluice_"
"""Prefix of every key, so that scanners for leaked secrets find it."""

PREDICT, METRICS, ADMIN = "predict", "metrics", "admin"
ROLES = (PREDICT, METRICS, ADMIN)

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_DIGEST = re.compile(r"sha256:([0-9a-f]{64})")
_NUMBER = re.compile(r"[0-9]{1,9}(\.[0-9]{1,6})?")


@dataclass(frozen=True, slots=True)
class Key:
    """Stored part of an API key.

    Attributes:
        name: in logs and metrics.
        digest: SHA-256 of the key itself.
        roles: `metrics` for /metrics, `admin` for /admin, `predict` for everything else.
        rate: texts a second in the long run, or None without a limit. A request without texts counts as one.
        burst: texts that may come at once after a pause.
    """

    name: str
    digest: bytes
    roles: frozenset[str]
    rate: float | None
    burst: float

    def line(self) -> str:
        """Formats the key as a line of the file."""
        roles = ",".join(role for role in ROLES if role in self.roles)
        limit = "" if self.rate is None else f" rate={_plain(self.rate)} burst={_plain(self.burst)}"
        return f"{self.name} sha256:{self.digest.hex()} roles={roles}{limit}"


def digest_of(secret: bytes) -> bytes:
    """SHA-256 digest of a secret."""
    return hashlib.sha256(secret).digest()


def new_key(name: str, options: Sequence[str]) -> tuple[str, Key]:
    """Makes a secret, which cannot be shown again, and the key to store; options as in a line.

    Raises:
        SettingsError: the name or an option is wrong.
    """
    if not _NAME.fullmatch(name):
        raise SettingsError(f"{name!r} cannot name a key; use up to 64 letters, digits, dots, dashes and underscores.")
    secret = PREFIX + secrets.token_urlsafe(32)
    stored = f"{name} sha256:{digest_of(secret.encode()).hex()}"
    return secret, _key(" ".join([stored, *options]), "The new key")


def read_keys(inline: str, path: Path | None) -> list[Key]:
    """Reads the keys of `SLUICE_API_KEYS` and of the file; none if neither is set.

    Raises:
        SettingsError: one of the two is set and holds no key, or a line cannot be read; names the line and the reason,
            never its content, which may be a secret in the wrong place.
    """
    keys = parse_keys(inline.replace(";", "\n"), "SLUICE_API_KEYS")
    if inline and not keys:
        # As with an empty file: who sets it wants keys, and nobody must come in without one.
        raise SettingsError("SLUICE_API_KEYS (--api-keys) holds no key; leave it out to serve everybody.")
    if path is not None:
        try:
            of_file = parse_keys(path.read_text(encoding="utf-8"), str(path))
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
            raise SettingsError(f"The keys in {path} cannot be read: {reason}.") from None
        if not of_file:
            # A file that is being written is empty for a moment. It must not open the server to everybody.
            raise SettingsError(f"{path} holds no key; leave --api-keys-file out to serve everybody.")
        keys += of_file
    for what in ("name", "digest"):
        values = [getattr(key, what) for key in keys]
        if len(set(values)) < len(values):
            twice = next(key.name for key in keys if values.count(getattr(key, what)) > 1)
            raise SettingsError(f"The {'name' if what == 'name' else 'secret'} of the API key {twice} is given twice.")
    return keys


def parse_keys(text: str, source: str) -> list[Key]:
    """Reads the keys of a text, one a line; empty lines and comments (#) are skipped.

    Raises:
        SettingsError: a line is not a key.
    """
    lines = ((number, line.strip()) for number, line in enumerate(text.splitlines(), 1))
    return [_key(line, f"{source} line {number}") for number, line in lines if line and not line.startswith("#")]


def _key(line: str, where: str) -> Key:
    name, *rest = line.split()
    stored, *options = rest or [""]
    if not _NAME.fullmatch(name):
        raise SettingsError(
            f"{where}: a key begins with its name: up to 64 letters, digits, dots, dashes, underscores."
        )
    digest = _DIGEST.fullmatch(stored)
    if digest is None:
        raise SettingsError(
            f"{where}: after the name comes sha256:… as `python -m app key` prints it, not the key itself."
        )
    given = dict(option.partition("=")[::2] for option in options)
    if len(given) < len(options) or not given.keys() <= {"roles", "rate", "burst"}:
        raise SettingsError(f"{where}: after the hash come roles=…, rate=… and burst=…, each at most once.")
    roles = frozenset(given.get("roles", PREDICT).split(","))
    if not roles <= set(ROLES):
        raise SettingsError(f"{where}: roles are {', '.join(ROLES)}, with commas between them.")
    rate = _number(given.get("rate"), f"{where}: rate")
    burst = _number(given.get("burst"), f"{where}: burst")
    if rate is None and burst is not None:
        raise SettingsError(f"{where}: burst is given without rate: add rate=… or leave burst out.")
    if burst is None:
        burst = max(1.0, rate or 1.0)
    elif burst < 1:
        raise SettingsError(f"{where}: burst is below 1: no request could ever be served.")
    return Key(name, bytes.fromhex(digest[1]), roles, rate, burst)


def _plain(number: float) -> str:
    return f"{number:f}".rstrip("0").rstrip(".")


def _number(value: str | None, where: str) -> float | None:
    if value is None:
        return None
    if not _NUMBER.fullmatch(value) or not float(value):
        raise SettingsError(f"{where} must be a number above 0.")
    return float(value)

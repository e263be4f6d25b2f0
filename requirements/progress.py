"""Reads the lines of pip and uv, and tells in plain lines how far they are."""

import re
import subprocess
import sys
import sysconfig
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Protocol

SILENCE_S = 5.0
"""A line about the progress comes this often."""


def say(line: str) -> None:
    """Prints a line at once; to standard error, where make's own messages go."""
    print(line, file=sys.stderr, flush=True)


class Progress(Protocol):
    """Reads an installer's lines and tells how far it is."""

    installed: int

    def read(self, line: str) -> bool:
        """Takes a line; true if it need not be shown."""

    def status(self) -> str:
        """The state of affairs in some words."""


def distributions() -> int:
    """Number of packages in this environment; it grows while an installer is silent."""
    return sum(1 for _ in Path(sysconfig.get_path("purelib")).glob("*.dist-info"))


@dataclass
class PipProgress:
    """Reads what `pip install --progress-bar off` prints, or `raw`, which adds the bytes of a download."""

    total: int
    """Packages that were asked for; those that they need may come on top."""
    names: set[str] = field(default_factory=set)
    wheels: set[str] = field(default_factory=set)
    now: str = ""
    installed: int = 0
    before: int = field(default_factory=distributions)

    def read(self, line: str) -> bool:
        """Every line of pip's standard output is known; its warnings and errors go elsewhere."""
        if match := re.match(r"Collecting ([\w.-]+)", line):
            self.names.add(match[1].lower())
        elif match := re.match(r"\s*(?:Downloading|Using cached|Processing) (\S+\.whl)(?!\S)(?: \((.+?)\))?", line):
            wheel = match[1].rpartition("/")[2]
            self.wheels.add(wheel)
            name, version = wheel.split("-")[:2]
            size = match[2] if match[2] and not match[2].startswith("from") else ""
            self.now = f"{name} {version}" + (f" ({size})" if size else "")
            self.names.add(name.replace("_", "-").lower())
        elif match := re.match(r"Progress (\d+) of (\d+)", line):
            done, whole = (int(number) / 1e6 for number in match.groups())
            self.now = re.sub(r" \(.*", "", self.now) + f" ({done:.0f} of {whole:.0f} MB)"
        elif line.startswith("Ignoring "):
            self.total -= 1  # for another system
        elif line.startswith("Installing collected packages: "):
            self.installed = line.count(", ") + 1
        return True

    def status(self) -> str:
        """Packages looked up, then wheels fetched, then packages unpacked."""
        if self.installed:
            return f"unpacking, {min(distributions() - self.before, self.installed)} of {self.installed} packages done"
        total = max(self.total, len(self.names))
        if not self.wheels:
            return f"looked up {len(self.names)} of {total} packages"
        return f"fetched {len(self.wheels)} of {total} packages, at {self.now}"


@dataclass
class UvProgress:
    """Reads what `uv pip install` prints where it has no terminal."""

    total: int = 0
    fetching: dict[str, str] = field(default_factory=dict)
    prepared: bool = False
    installed: int = 0
    before: int = field(default_factory=distributions)

    def read(self, line: str) -> bool:
        """False for a line that is not about progress: a warning or an error."""
        if match := re.match(r"(Resolved|Prepared|Installed) (\d+) packages?", line):
            self.total = max(self.total, int(match[2]))
            self.prepared = match[1] != "Resolved"
            self.installed = int(match[2]) if match[1] == "Installed" else 0
        elif match := re.match(r"Downloading (\S+) \((.+)\)", line):
            self.fetching[match[1]] = match[2]
        elif match := re.match(r"\s*Downloaded (\S+)", line):
            self.fetching.pop(match[1], None)
        return bool(match or re.match(r"(Using Python|Audited|Uninstalled| [+~-] )", line))

    def status(self) -> str:
        """Packages looked up, then the large wheels under way, then packages unpacked."""
        if self.prepared:
            return f"unpacking, {min(distributions() - self.before, self.total)} of {self.total} packages done"
        if self.fetching:
            under_way = ", ".join(f"{name} ({size})" for name, size in self.fetching.items())
            return f"fetching {self.total} packages, under way: {under_way}"
        return f"fetching {self.total} packages" if self.total else "looking up packages"


def relay(command: list[str], progress: Progress, stream: str, env: dict[str, str], every_s: float = SILENCE_S) -> int:
    """Runs an installer and tells how far it is now and then; its exit code.

    `stream`, "stdout" or "stderr", is read and shown only where it is not about progress; the other is shown as it is.
    """
    started, done, hidden = time.monotonic(), threading.Event(), deque[str](maxlen=20)

    def tell() -> None:
        while not done.wait(every_s):
            say(f"  {time.monotonic() - started:3.0f} s: {progress.status()}")

    teller = threading.Thread(target=tell, daemon=True)
    piped = {stream: subprocess.PIPE}
    with subprocess.Popen(command, env=env, text=True, errors="replace", **piped) as process:  # type: ignore[call-overload]
        teller.start()
        lines: IO[str] = getattr(process, stream)
        try:
            for line in (ended.rstrip("\n") for ended in lines):
                if progress.read(line):
                    hidden.append(line)
                else:
                    say(line)
            code = int(process.wait())
        finally:
            done.set()
            teller.join()
    if code:
        say("\n".join(hidden))
    elif progress.installed:
        say(f"  {time.monotonic() - started:3.0f} s: installed {progress.installed} packages")
    return code

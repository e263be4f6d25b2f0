"""The load generator wrk: its script, its call and what it printed."""

import json
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

MARK = "wrk says "

SCRIPT = """
local number = 0

function setup(thread)
    thread:set("first", number * 17)
    number = number + 1
end

function init(args)
    requests = {{}}
    for body in io.lines({bodies}) do
        requests[#requests + 1] = wrk.format("POST", {path}, {{["Content-Type"] = "application/json"}}, body)
    end
    place = first
end

function request()
    place = place + 1
    return requests[place % #requests + 1]
end

function done(summary, latency, requests)
    local errors = summary.errors
    local lost = errors.connect + errors.read + errors.write + errors.timeout
    io.write(string.format(
        {form}, summary.requests, summary.duration / 1e6, errors.status, lost,
        latency:percentile(50) / 1e6, latency:percentile(99) / 1e6
    ))
end
"""
"""Goes through the bodies of a file, one a line; each thread begins elsewhere."""

FORM = MARK + '{"requests": %d, "seconds": %f, "refused": %d, "lost": %d, "p50": %f, "p99": %f}\n'


class WrkMissing(Exception):
    """There is no such program."""


@dataclass(frozen=True, slots=True)
class Load:
    """Figures that wrk reported.

    Attributes:
        requests: answers, whatever their status.
        seconds: that it lasted.
        refused: answers with another status than 2xx or 3xx.
        lost: connections that failed and answers that did not come.
        p50, p99: latencies in seconds, of all answers.
    """

    requests: int
    seconds: float
    refused: int
    lost: int
    p50: float
    p99: float

    @property
    def rate(self) -> float:
        """Good answers a second."""
        return (self.requests - self.refused) / self.seconds


def lua_string(text: str) -> str:
    r"""`text` as a literal of Lua.

    >>> print(lua_string('a "b" \\ c' + chr(10)))
    "a \"b\" \\ c\n"
    """
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def script(bodies: Path, path: str = "/predict") -> str:
    """The script that posts the lines of the file `bodies` to `path`."""
    return SCRIPT.format(bodies=lua_string(str(bodies)), path=lua_string(path), form=lua_string(FORM))


def body(texts: Sequence[str]) -> str:
    """A request as one line of ASCII."""
    return json.dumps({"inputs": list(texts)})


def parse(printed: str) -> Load:
    """Parses the line that `done` of the script wrote.

    Raises:
        ValueError: it wrote nothing.
    """
    for line in printed.splitlines():
        if line.startswith(MARK):
            return Load(**json.loads(line.removeprefix(MARK)))
    raise ValueError(f"wrk printed no result: {printed.strip()[-500:]}")


def find_wrk() -> str:
    """Path of the wrk program.

    Raises:
        WrkMissing: it is not installed.
    """
    program = shutil.which("wrk")
    if program is None:
        raise WrkMissing("wrk is not installed (Debian: apt-get install wrk)")
    return program


def run_wrk(port: int, bodies: Sequence[str], *, connections: int, seconds: float, threads: int = 1) -> Load:
    """Closed loop: each connection posts the next body when it has its answer.

    Raises:
        WrkMissing: it is not installed.
        ValueError: it gave no result.
    """
    with tempfile.TemporaryDirectory() as folder:
        lines, lua = Path(folder) / "bodies", Path(folder) / "load.lua"
        lines.write_text("".join(f"{line}\n" for line in bodies), encoding="ascii")
        lua.write_text(script(lines), encoding="utf-8")
        load = [f"-t{threads}", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--timeout=30s", f"-s{lua}"]
        command = [find_wrk(), *load, f"http://127.0.0.1:{port}/predict"]
        return parse(subprocess.run(command, capture_output=True, text=True, check=True).stdout)

"""Work of the process that explains, which `app.explain.process` starts and which ends with its server.

It has a small share of the processors and is the first to be killed when memory runs out, since it can be replaced.
"""

import logging
import os
import queue
import signal
import socket
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Protocol

import msgspec

from app.config.sections import ExplainSettings
from app.core import log
from app.core.errors import ComputeError, TextTooLong, row_of
from app.deployment.loader import cause_of
from app.explain.wire import Ask, Reply, pack, read
from model.availability import require_torch, torch_installed
from model.errors import InputError, ModelError
from model.explain.explanation import Explanation, Fault, Options, Unexplained
from model.memory import give_back

logger = logging.getLogger(__name__)

NAME = "sluice-explain"
"""Name of the process in `top`; one that was forked has the command line of its server."""

NICENESS = 5
"""A tenth of a processor beside one busy process of normal priority (weight 110 to 1024), all of an idle one.

Source: sched(7) and `sched_prio_to_weight` in the kernel's `kernel/sched/core.c`. Measured in
`docs/design/0017-looking-inside.md`.
"""

IDLE_S = 300.0
"""Time without a question after which the models are forgotten: 60 to 150 MB each."""

FIRST_TO_GO = "1000"
"""Score for the kernel's out-of-memory killer. Source: proc_pid_oom_score_adj(5)."""

_encode = msgspec.json.Encoder().encode


class Explaining(Protocol):
    """Interface of `model.explain.explainer.Explainer` that the worker needs."""

    @property
    def version(self) -> str:
        """First 12 hex digits of the checkpoint's digest."""

    @property
    def max_tokens(self) -> int:
        """Limit of tokens, above which a text cannot be explained."""

    def num_tokens(self, texts: Sequence[str]) -> list[int]:
        """Counts the tokens that would be read of each text."""

    def explain(self, texts: Sequence[str], options: Options) -> Sequence[Explanation | Unexplained]:
        """Explains texts, one entry each. Raises InputError if the label or a unit does not exist."""


Opened = Callable[[Path], Explaining]
"""Opens an explainer from a checkpoint folder. Raises ModelError."""


class Answers:
    """Answers questions about texts, with an explainer per version.

    Args:
        opened: makes explainers.
    """

    def __init__(self, opened: Opened) -> None:
        self._opened = opened
        self._explainers: dict[str, Explaining] = {}

    def forget(self) -> None:
        """Frees the memory of all models; each is opened again when it is asked for."""
        self._explainers.clear()
        give_back()

    def answer(self, ask: Ask) -> tuple[Reply, bytes]:
        """Explains one text; an error is an answer too."""
        try:
            explainer = self._explainer(ask)
        except Exception as error:
            extra = {"version": ask.version, "cause": cause_of(error)}
            foreseen = isinstance(error, ModelError)
            logger.error("a model cannot be explained", extra=extra, exc_info=None if foreseen else error)
            return Reply("model", detail=f"This version of the model cannot be explained: {cause_of(error)}."), b""
        try:
            return self._explained(explainer, ask)
        except InputError as error:
            detail = str(error)
            return Reply("call", detail=f"{detail[0].upper()}{detail[1:]}."), b""
        except Exception as error:
            # The message of the exception may quote the text, so that only its class and traceback are logged.
            logger.error(
                "a text failed alone", extra={"stage": "explain", "cause": type(error).__name__}, exc_info=error
            )
            return _failed(ComputeError("This text could not be explained. The server's log has the cause."))

    def _explained(self, explainer: Explaining, ask: Ask) -> tuple[Reply, bytes]:
        most = min(ask.max_tokens, explainer.max_tokens)
        (num_tokens,) = explainer.num_tokens([ask.text])
        if num_tokens > most:
            return _failed(
                TextTooLong(f"The text has {num_tokens} tokens; one of more than {most} is not explained."), num_tokens
            )
        (found,) = explainer.explain([ask.text], ask.options)
        error_type = found.error.type if isinstance(found, Unexplained) else ""
        return Reply(tokens=num_tokens, error_type=error_type), _encode(found)

    def _explainer(self, ask: Ask) -> Explaining:
        for version in self._explainers.keys() - {*ask.keep, ask.version}:
            del self._explainers[version]
        if ask.version not in self._explainers:
            explainer = self._opened(Path(ask.path))
            if explainer.version != ask.version:
                raise ModelError("its folder holds another one by now; load that, and it is explained")
            self._explainers[ask.version] = explainer
        return self._explainers[ask.version]


def _failed(error: Exception, tokens: int = 0) -> tuple[Reply, bytes]:
    code = row_of(error).code
    return Reply(tokens=tokens, error_type=code), _encode(Unexplained(Fault(code, str(error))))


def serve(
    sock: socket.socket, opened: Opened, *, idle_s: float = IDLE_S, leave: Callable[[int], object] = os._exit
) -> None:
    """Answers until the server is gone, then exits at once, since nobody waits for the text under way.

    Args:
        sock: to the server.
        opened: makes explainers.
        idle_s: time without a question after which the models are forgotten.
        leave: ends the process, given an exit code.
    """
    asks: queue.SimpleQueue[Ask] = queue.SimpleQueue()
    with sock.makefile("rb") as file:
        threading.Thread(target=_listen, args=(file, asks, leave), name="listen", daemon=True).start()
        answers = Answers(opened)
        sock.sendall(pack(Reply()))
        while True:
            try:
                ask = asks.get(timeout=idle_s)
            except queue.Empty:
                answers.forget()
            else:
                sock.sendall(pack(*answers.answer(ask)))


def _listen(file: BinaryIO, asks: "queue.SimpleQueue[Ask]", leave: Callable[[int], object]) -> None:
    with suppress(OSError):
        while (message := read(file, Ask)) is not None:
            asks.put(message[0])
    leave(0)


def step_back() -> None:
    """Gives the process a small share of the processors, which busy ones of normal priority cannot take from it."""
    # Where the kernel parts the processors among sessions before it looks at what is in them, this one's part should
    # not be the server's. Source: sched(7), the autogroup feature.
    with suppress(OSError):
        os.setsid()
        Path("/proc/self/autogroup").write_text(str(NICENESS))
    os.nice(NICENESS)
    with suppress(AttributeError, OSError):  # not on Linux, or not allowed
        # It computes and does not interact: when it wakes, it takes no processor from who runs. Source: sched(7).
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(FIRST_TO_GO)


def begin(sock: socket.socket, num_threads: int, log_level: str, opened: Opened | None = None) -> None:
    """Makes this process the one that explains, until its server is gone.

    Args:
        sock: to the server.
        num_threads: of the computation.
        log_level: least severe message to log.
        opened: makes explainers, from checkpoints by default; for tests.
    """
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)  # these are for the server, which may have requests to finish
    with suppress(OSError):
        Path("/proc/self/comm").write_text(NAME)
    step_back()
    log.configure(log_level)
    serve(sock, opened or checkpoints(num_threads))


def main(arguments: Sequence[str], opened: Opened | None = None) -> None:
    """Serves on standard input, which is a socket.

    Args:
        arguments: number of threads, and level of the least severe message to log.
        opened: makes explainers, from checkpoints by default; for tests.
    """
    num_threads, log_level = arguments
    begin(socket.socket(fileno=os.dup(sys.stdin.fileno())), int(num_threads), log_level, opened)


def explains(settings: ExplainSettings) -> bool:
    """True unless explanations are switched off, or PyTorch, which computes them, is not installed."""
    return not settings.off and torch_installed()


def checkpoints(num_threads: int) -> Opened:
    """Makes explainers from checkpoint folders; imports PyTorch when it opens the first."""

    def opened(path: Path) -> Explaining:
        require_torch("only it explains")
        # A server that nobody asks to explain, and tests with another explainer, do without its 150 MB.
        from model.checkpoint import load_checkpoint
        from model.explain.explainer import Explainer

        return Explainer(load_checkpoint(path), device="cpu", threads=num_threads)

    return opened


if __name__ == "__main__":
    main(sys.argv[1:])

"""Tests the answers of the process that explains, question by question."""

import logging
import queue
import socket
import threading
import weakref
from pathlib import Path

import msgspec
import pytest

import model.availability
from app.explain.wire import Ask, Reply, pack, read
from app.explain.worker import Answers, checkpoints, serve
from model.explain.explanation import Explanation, Unexplained
from tests.app.explain.explain_fake import VERSION, FakeExplainer, opened


def ask(text: str = "a b", **fields: object) -> Ask:
    values = {"path": "/models/a", "version": VERSION, "keep": [], "max_tokens": 8, "text": text}
    return msgspec.convert(values | {"options": {"sentences": False}} | fields, Ask)


class Opener:
    """Opens folders named after the version in them, and notes which."""

    def __init__(self) -> None:
        self.opened: list[str] = []

    def __call__(self, path: Path) -> FakeExplainer:
        self.opened.append(path.name)
        explainer = FakeExplainer()
        explainer.version = path.name
        return explainer


def test_a_version_is_opened_once_and_forgotten_when_it_is_served_no_more() -> None:
    opener = Opener()
    answers = Answers(opener)
    for version, keep in (("a", "a"), ("a", "a"), ("b", "ab"), ("a", "ab"), ("b", "b"), ("a", "b"), ("b", "b")):
        reply, _ = answers.answer(ask(path=f"/models/{version}", version=version, keep=list(keep)))
        assert reply.about == "text"
    # The last a was asked for by a request that had begun before it went.
    assert opener.opened == ["a", "b", "a"]


def test_another_version_is_refused_and_not_kept() -> None:
    opener = Opener()
    answers = Answers(opener)
    for _ in range(2):
        reply, body = answers.answer(ask(path="/models/b", version="a"))
        assert (reply.about, body) == ("model", b"")
        assert reply.detail.startswith("This version of the model cannot be explained: its folder holds another one")
    assert opener.opened == ["b", "b"]


@pytest.mark.parametrize(
    ("question", "reply"),
    [
        (ask("a b"), Reply(tokens=2)),
        (ask("a b", max_tokens=1), Reply(tokens=2, error_type="text_too_long")),
        (ask("a " * 17, max_tokens=99), Reply(tokens=17, error_type="text_too_long")),  # the explainer's own limit
        (ask("poison CANARY"), Reply(error_type="compute_error")),
        (ask(options={"units": [4]}), Reply("call", detail="A unit is from 0 to 3.")),
    ],
)
def test_whatever_happens_is_an_answer(question: Ask, reply: Reply, caplog: pytest.LogCaptureFixture) -> None:
    found, body = Answers(opened).answer(question)
    assert found == reply
    if reply.about == "text":
        kind = Unexplained if reply.error_type else Explanation
        assert isinstance(msgspec.json.decode(body, type=kind), kind)
    assert b"CANARY" not in body
    assert not any("CANARY" in record.getMessage() for record in caplog.records)


def test_what_was_not_foreseen_while_opening_is_logged_with_its_place(caplog: pytest.LogCaptureFixture) -> None:
    reply, _ = Answers(opened).answer(ask(path="/models/unforeseen"))
    assert reply.about == "model"
    (record,) = caplog.records
    assert (record.levelno, record.exc_info is not None) == (logging.ERROR, True)
    assert "nobody thought of this" not in reply.detail


def test_without_pytorch_no_checkpoint_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model.availability, "find_spec", lambda _name: None)
    reply, _ = Answers(checkpoints(1)).answer(ask())
    assert (reply.about, "PyTorch is not installed" in reply.detail) == ("model", True)


def test_it_greets_answers_and_leaves_when_the_server_is_gone() -> None:
    ours, theirs = socket.socketpair()
    left: queue.SimpleQueue[int] = queue.SimpleQueue()
    threading.Thread(target=serve, args=(theirs, opened), kwargs={"leave": left.put}, daemon=True).start()
    with ours.makefile("rb") as file:
        assert read(file, Reply) == (Reply(), b"")
        for text in ("a b", "a"):
            ours.sendall(pack(ask(text)))
        answers = [read(file, Reply) for _ in range(2)]
    assert [answer[0].tokens for answer in answers if answer is not None] == [2, 1]
    ours.close()
    assert left.get(timeout=5) == 0


def test_models_are_forgotten_when_nobody_asks_and_opened_again_when_somebody_does() -> None:
    ours, theirs = socket.socketpair()
    opened_again, gone = Opener(), threading.Event()

    class Noticed(FakeExplainer):
        version = "a"

    def noticing(path: Path) -> FakeExplainer:
        opened_again(path)
        explainer = Noticed()
        weakref.finalize(explainer, gone.set)
        return explainer

    options = {"idle_s": 0.05, "leave": lambda _code: None}
    threading.Thread(target=serve, args=(theirs, noticing), kwargs=options, daemon=True).start()
    with ours, ours.makefile("rb") as file:
        read(file, Reply)
        for _ in range(2):
            gone.clear()
            ours.sendall(pack(ask(path="/models/a", version="a", keep=["a"])))
            assert read(file, Reply) is not None
            assert gone.wait(10)
    assert opened_again.opened == ["a", "a"]

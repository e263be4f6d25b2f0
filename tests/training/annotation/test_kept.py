import errno
import io
from pathlib import Path

import pytest

from training.annotation.answers import Judged
from training.annotation.kept import KeptAnswers
from training.annotation.prompt import Prompt, make_prompt, parse_labels

PROMPT = make_prompt(parse_labels("good,bad"), max_characters=100)


def opened(path: Path, model: str = "m", prompt: Prompt = PROMPT) -> KeptAnswers:
    return KeptAnswers(path, model=model, prompt=prompt)


def test_answers_are_found_again_for_the_same_model_prompt_and_labels(tmp_path: Path) -> None:
    path = tmp_path / "new" / "answers.jsonl"
    with opened(path) as kept:
        kept.add("one", Judged("good"))
        kept.add("zwei \ud800", Judged("bad", (-2.0, -0.1)))
        assert kept.get("one") == Judged("good")
        assert opened(path).get("one") == Judged("good"), "it is on disk before the next answer"
    assert opened(path).get("zwei \ud800") == Judged("bad", (-2.0, -0.1))
    assert opened(path).get("two") is None
    assert opened(path, model="n").get("one") is None
    assert opened(path, prompt=make_prompt(parse_labels("bad,good"), max_characters=100)).get("one") is None
    assert b"one" not in path.read_bytes(), "it keeps no text"


def test_a_line_that_was_cut_costs_one_answer(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    with opened(path) as kept:
        kept.add("one", Judged("good"))
        kept.add("two", Judged("bad"))
    path.write_bytes(path.read_bytes()[:-20])
    with opened(path) as kept:
        assert (kept.get("one"), kept.get("two")) == (Judged("good"), None)
        kept.add("three", Judged("bad"))
    assert opened(path).get("three") == Judged("bad")
    path.write_text('[]\n{"key": "x"}\n{"key": 1, "label": "a", "log_probabilities": 3}\n')
    assert opened(path).get("one") is None


class Filling(io.RawIOBase):
    """A file on a disk that has room for so many bytes: it takes a part of what it is given, and then nothing."""

    def __init__(self, room: int) -> None:
        self.room = room

    def write(self, content: object) -> int:
        assert isinstance(content, bytes)
        if not self.room:
            raise OSError(errno.ENOSPC, "No space left on device")
        taken = min(self.room, len(content))
        self.room -= taken
        return taken


def test_an_answer_that_a_full_disk_cuts_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(tmp_path / "answers.jsonl") as kept, monkeypatch.context() as patch:
        patch.setattr(kept, "_file", Filling(room=100))
        kept.add("one", Judged("good"))
        with pytest.raises(OSError, match="No space left"):
            kept.add("two", Judged("bad"))
        assert (kept.get("one"), kept.get("two")) == (Judged("good"), None)

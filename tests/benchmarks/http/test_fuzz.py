import pytest

from app.core.errors import InvalidJson
from benchmarks.http import fuzz


@pytest.mark.parametrize("seed", fuzz.SEEDS)
def test_seeds_are_read_or_refused(seed: bytes) -> None:
    fuzz.check(seed)
    for byte in (b"\xff", b"{", b"\x00"):
        fuzz.check(seed[:7] + byte + seed[8:])


def test_what_was_found_before_is_refused() -> None:
    fuzz.check(b'{"inputs": "a", "top_k": 1.0, "mo\xff\xffdel": null}')


@pytest.mark.parametrize(
    "error", [UnicodeDecodeError("utf-8", b"", 0, 1, ""), InvalidJson("很好"), InvalidJson("a" * 999)]
)
def test_other_errors_and_details_that_repeat_the_input_are_findings(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def parse(_body: bytes) -> None:
        raise error

    monkeypatch.setattr(fuzz, "_parsers", (parse,))
    with pytest.raises((UnicodeDecodeError, AssertionError)):
        fuzz.check(b"{}")


def test_lines_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fuzz, "MAX_LINE_BYTES", 3)
    fuzz.check(b"abc\nabcd\n\n")
    monkeypatch.setattr("app.api.ndjson.LineCutter._take", lambda _self: b"other")
    with pytest.raises(AssertionError, match="lines"):
        fuzz.check(b"abc")

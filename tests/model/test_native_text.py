"""The native text path gives the tokens of `tokenizers` or leaves the text to it, and reads no byte beyond a text."""

import json
import random
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from model import native_text
from model.checkpoint import TOKENIZER
from model.native_text import FOR_REFERENCE, NativeText, library
from model.tokenizer import build_tokenizer, first_tokenizer, recognise, train_vocabulary

if library() is None:
    pytest.skip("the library is not built: python -m model.engine.build", allow_module_level=True)

SHIPPED = Path(__file__).parents[2] / "checkpoints" / "sentiment"
TEXTS = ["It's a good film, don't miss it!", "这部电影很好看，我喜欢。", "bad :( 10/10 😀", "goods and good"] * 5
COMMON = [
    "I can’t believe it’s “free” – 50% off… Naïve café, £5 ½ ™ 😀👍🏽 👩‍🚀 ❤️ SOOOO GOOOOD!!!!!!",
    "这部电影，真的很好看！！！「推荐」给大家～ＯＫ １２３ ① ㎡ （完）……哈哈哈哈哈",
    "Ελλάδα Россия İstanbul straße Việt Nam العربية हिन्दी ไม่ดี 한국어 日本語カタカナ ｶﾀｶﾅ",
    "go\u200bod \ufeffgo\u00adod \x00a\x07b \u202eright\u202c می\u200cخواهم क्\u200dष 🤦🏽\u200d♀ a\u200db 😀\u200d",
    "isn't nn't aren'tx '' 's' we'll'd 'tis n't'n't rock'n'roll " + "a" * 62 + "n't" + "b" * 70 + " " + "1" * 40,
    "a\u1680b\u2003c\u3000d\x85e\x1cf\n\r\tg \u2028 \ufffd \U0010ffff \ue000",
]
SPECIAL = st.text(alphabet="aAnNtTs're'’ \n😀\u200d\ufe0f\u200c\u0301\u0e49क्ष很〇⺀½１!！éÉİﬁ\x00\x85", max_size=60)


def trained(tokenizer: Tokenizer) -> Tokenizer:
    return train_vocabulary(tokenizer, TEXTS, vocab_size=700, min_frequency=2)


def native_form(tokenizer: Tokenizer) -> NativeText:
    pipeline = recognise(tokenizer)
    assert pipeline is not None
    native = NativeText.of(tokenizer, pipeline)
    assert native is not None
    return native


class Both:
    """A pipeline in both forms."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer, self.native = tokenizer, native_form(tokenizer)

    def left_to_reference(self, texts: Sequence[str], max_tokens: int = 512) -> list[str]:
        """Compares the ids of each text, and returns the texts that were left."""
        rows, places = self.native.encode(texts, max_tokens=max_tokens)
        wanted = self.tokenizer.encode_batch_fast(texts, add_special_tokens=False)
        split = rows.split()
        for i in {*range(len(texts))} - {*places}:
            text, encoding = texts[i], wanted[i]
            assert split[i].tolist() == encoding.ids[:max_tokens], repr(text)
            assert rows.truncated_N[i] == (len(encoding.ids) > max_tokens), repr(text)
        return [texts[i] for i in places]


@pytest.fixture(scope="module", params=["shipped", "characters", "words", "first"])
def both(request: pytest.FixtureRequest) -> Both:
    if request.param == "shipped":
        return Both(Tokenizer.from_file(str(SHIPPED / TOKENIZER)))
    pipelines = {
        "characters": build_tokenizer(),
        "words": build_tokenizer(chinese_words=True),
        "first": first_tokenizer(),
    }
    return Both(trained(pipelines[request.param]))


def test_common_texts_need_no_reference(both: Both) -> None:
    assert both.left_to_reference(COMMON) == []
    assert both.left_to_reference(["", *TEXTS, ""]) == []


def test_characters_alone_and_between_letters(both: Both) -> None:
    codes = [*range(0x3100), *range(0xA600, 0x20000, 7), *range(0x3100, 0x110000, 911)]
    drawn = random.Random(0).sample([chr(code) for code in codes if not 0xD800 <= code < 0xE000], 1500)
    left = both.left_to_reference([form for c in drawn for form in (c, f"a{c}b")])
    assert len(left) < 600


@pytest.mark.parametrize("letter", "aеक가กあא")
def test_marks_on_a_letter_are_left_to_the_reference(both: Both, letter: str) -> None:
    marks = [chr(code) for code in [*range(0x300, 0x370), 0x591, 0x64B, 0x93C, 0x94D, 0xE49, 0x3099, 0x20D0]]
    texts = [letter + "".join(random.Random(i).choices(marks, k=64 if i % 2 else 2)) for i in range(20)]
    assert both.left_to_reference(texts) == texts


@settings(deadline=None, max_examples=60)
@given(texts=st.lists(st.text(max_size=60) | SPECIAL, max_size=8), max_tokens=st.integers(1, 40))
def test_any_text(both: Both, texts: list[str], max_tokens: int) -> None:
    left = both.left_to_reference(texts, max_tokens)
    assert not any(map(str.isascii, left))


def test_pieces_of_bytes_that_were_never_seen_together(both: Both) -> None:
    draw = random.Random(1)
    texts = ["".join(draw.choices("abelnorst", k=draw.randint(1, 64))) for _ in range(500)]
    texts += ["".join(draw.choices("的一是不了人我在有他这", k=draw.randint(1, 40))) for _ in range(200)]
    assert both.left_to_reference(texts) == []


@pytest.mark.parametrize("unit", ["a", "ab ", "很", "!", "7", "'", "n't", "😀", "é", "\u0301", "ﷺ"])
def test_long_runs(both: Both, unit: str) -> None:
    texts = [unit * 3000, " " * 2000 + unit * 700]
    assert both.left_to_reference(texts, max_tokens=64) == (texts if unit == "\u0301" else [])


def test_a_text_that_grows_beyond_its_bytes_is_left(both: Both) -> None:
    assert both.left_to_reference(["ﷺﷺﷺ", "fine"]) == ["ﷺﷺﷺ"]


def test_threads_share_a_pipeline(both: Both) -> None:
    wanted, _ = both.native.encode(COMMON * 20, max_tokens=64)
    with ThreadPoolExecutor(4) as pool:
        for rows, _ in pool.map(lambda _: both.native.encode(COMMON * 20, max_tokens=64), range(8)):
            assert rows.ids_T.tolist() == wanted.ids_T.tolist()


def test_bytes_that_are_not_utf8_are_left(both: Both) -> None:
    draw = random.Random(2)
    for _ in range(300):
        valid = draw.choice(COMMON).encode()
        start = draw.randrange(len(valid))
        mutated = bytearray(valid[start : start + draw.randrange(40)])
        for _ in range(draw.randrange(4)):
            if mutated:
                mutated[draw.randrange(len(mutated))] = draw.randrange(256)
        outcome = encode_bytes(both.native, bytes(mutated))
        try:
            mutated.decode()
        except UnicodeDecodeError:
            assert outcome == FOR_REFERENCE


def encode_bytes(native: NativeText, utf8: bytes) -> int:
    """Outcome of one text of any bytes; its buffers are just as long as they must be."""
    lengths, starts = np.array([len(utf8)], dtype=np.int64), np.empty(2, dtype=np.int64)
    ids, outcomes = np.empty(len(utf8), dtype=np.int32), np.empty(1, dtype=np.int64)
    places = (ids.ctypes.data, starts.ctypes.data, outcomes.ctypes.data)
    assert native._encode(native._handle, utf8, len(utf8), lengths.ctypes.data, 1, 512, *places) >= 0
    assert 0 <= starts[1] <= len(utf8)
    return int(outcomes[0])


def test_a_surrogate_is_refused(both: Both) -> None:
    with pytest.raises(UnicodeEncodeError):
        both.native.encode(["good \ud800"], max_tokens=8)


def test_merges_in_another_order_have_no_native_form() -> None:
    state = json.loads(trained(build_tokenizer()).to_str())
    state["model"]["merges"][:2] = reversed(state["model"]["merges"][:2])
    other = Tokenizer.from_str(json.dumps(state))
    pipeline = recognise(other)
    assert pipeline is not None
    assert NativeText.of(other, pipeline) is None


@pytest.mark.parametrize(("name", "value"), [("LIBRARY", Path("nowhere.so")), ("VERSION", -1)])
def test_without_a_library_of_this_version_there_is_none(
    monkeypatch: pytest.MonkeyPatch, name: str, value: object
) -> None:
    monkeypatch.setattr(native_text, name, value)
    assert library.__wrapped__() is None


def test_a_lack_of_memory_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    native = native_form(trained(build_tokenizer()))
    monkeypatch.setattr(native, "_encode", lambda *_: -1)
    with pytest.raises(MemoryError):
        native.encode(["good"], max_tokens=8)

r"""Rules that split English and Chinese text into sentences.

A sentence ends

- at a line break;
- behind `。`, `！`, `？`, `；` and the like, wherever they stand; behind a Chinese ellipsis only before white space;
- behind `.`, `!`, `?` and `…` before white space, the end or Chinese, unless the stop belongs to a number ("3.5",
  "No. 5", "1. The"), an abbreviation ("Mr. X", "e.g.", "U.S. army") or an initial ("J. Smith"), or stands in a sentence
  that goes on in lower case ("Well... maybe", '"Why?" he asked').

Closing quotes and brackets behind the stop belong to the sentence. A part without letter and number, as a line of
emoji, belongs to the sentence before it, if there is one.

>>> text = "Mr. Wu paid 3.5 yuan. Fine! 很好。不贵"
>>> [text[start:end] for start, end in split_sentences(text)]
['Mr. Wu paid 3.5 yuan.', 'Fine!', '很好。', '不贵']
"""

import re

CLOSERS = r"[\"'”’»)\]}」』）】》〉〕］｝]*"

BREAK = r"\n\r\v\f\x1c-\x1e\x85\u2028\u2029"
"""What `str.splitlines` takes for the end of a line."""

STOP = re.compile(
    rf"(?P<line>[{BREAK}]+)"
    rf"|(?P<chinese>[。！？；｡][。！？；｡!?…⋯]*){CLOSERS}"
    rf"|(?P<latin>[.!?…⋯]+(?:[^\S{BREAK}]+[.!?…⋯]+)*)(?P<closers>{CLOSERS})"
)
"""What may end a sentence. It looks at nothing behind the stop, so that no text makes it slow; `_ends` does."""

HAN = re.compile(r"[\u2e80-\u30ff\u3400-\u9fff\uf900-\ufaff\uff00-\uff60\U00020000-\U0003ffff]")
"""Chinese characters and punctuation, and kana."""

WORD = re.compile(r"\w")
GOES_ON = re.compile(r"\s*[，、：,:]")
LAST_WORD = re.compile(r"[\w.]*\Z")
DOTTED = re.compile(r"(?:\w\.)+\w")

LONGEST_ABBREVIATION = 16
"""Characters looked back at."""

NEVER_END = re.compile(
    r"mr|mrs|ms|mx|dr|prof|st|sgt|capt|lt|col|gen|gov|sen|rep|rev|hon|pres|vs|viz|cf|e\.g|i\.e|messrs|mme|mlle"
)
"""Abbreviations that something always follows."""

END_BEFORE_CAPITAL = re.compile(
    r"etc|inc|ltd|co|corp|jr|sr|bros|dept|est|approx|ave|blvd|rd|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec"
)
"""Abbreviations that may also be a sentence's last word: they are where a capital follows."""

END_BEFORE_NO_NUMBER = re.compile(r"nos?|pp?|figs?|vol|ch|sec|art|eq")
"""Abbreviations where a number follows: "No. 5" goes on, "No. Never." does not."""

Span = tuple[int, int]


def split_sentences(text: str) -> list[Span]:
    """Finds start and end, in code points, of each sentence, without white space around it; in order, none empty."""
    spans: list[Span] = []
    begin = last = _skip_space(text, 0)
    has_word = False
    for stop in [*STOP.finditer(text), None]:
        end = len(text) if stop is None else stop.end()
        has_word = has_word or WORD.search(text, last, end) is not None
        last = end
        if end <= begin or (stop is not None and not _ends(text, begin, stop)):
            continue
        span = (begin, begin + len(text[begin:end].rstrip()))
        if has_word or not spans:
            spans.append(span)
        else:
            spans[-1] = (spans[-1][0], span[1])
        begin, has_word = _skip_space(text, end), False
    return spans


def _ends(text: str, begin: int, stop: re.Match[str]) -> bool:
    """Decides whether the sentence that starts at `begin` ends with this stop."""
    if stop["line"]:
        return True
    if stop["chinese"]:
        return GOES_ON.match(text, stop.end()) is None
    following = text[stop.end() : stop.end() + 1]
    following_word = _skip_space(text, stop.end())
    after = text[following_word : following_word + 1]
    run = stop["latin"]
    ellipsis = "…" in run or "⋯" in run or run.count(".") > 1
    if following and not following.isspace():
        return HAN.match(following) is not None and not ellipsis
    if after.islower() and (ellipsis or stop["closers"]):
        return False
    return run != "." or not _abbreviates(text, begin, stop.start(), after)


def _abbreviates(text: str, begin: int, end: int, after: str) -> bool:
    """Decides whether a full stop at `end`, before white space and `after`, belongs to an abbreviation."""
    match = LAST_WORD.search(text, max(begin, end - LONGEST_ABBREVIATION), end)
    word = match[0] if match else ""
    lower = word.lower()
    if NEVER_END.fullmatch(lower) or (word.isupper() and word != "I" and (len(word) == 1 or DOTTED.fullmatch(word))):
        return after != ""
    if END_BEFORE_NO_NUMBER.fullmatch(lower) or (word.isdecimal() and end - begin == len(word)):
        return after.isdecimal() or (word.isdecimal() and after != "")
    return bool(END_BEFORE_CAPITAL.fullmatch(lower) or DOTTED.fullmatch(word)) and not after.isupper() and after != ""


def _skip_space(text: str, place: int) -> int:
    """Finds the next place that holds no white space."""
    while place < len(text) and text[place].isspace():
        place += 1
    return place

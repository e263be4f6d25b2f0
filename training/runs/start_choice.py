"""Decides whether a run starts from the shipped encoder, by the languages of its texts."""

import re
from collections.abc import Sequence
from pathlib import Path

from tokenizers import Tokenizer

from training.config.request import Request

SAMPLE = 500
"""Texts that are looked at, evenly over the file."""

MOST_TOKENS_PER_WORD = 1.6
"""In English and Chinese texts of forty public sets the encoder's tokenizer has 1.03 to 1.25 tokens a word, in French
and Dutch 1.9, in German 2.2, in Russian 11. A word that falls to pieces is one that the encoder has hardly seen."""

_WORD = re.compile(r"[\u3400-\u9fff]|(?:(?![\u3400-\u9fff])[^\W\d_])+")


def choose_start(request: Request, texts: Sequence[str]) -> tuple[Request, str]:
    """The request, from the encoder where its texts are in languages that it knows; and a sentence that says so.

    Args:
        request: `with_encoder` is what it would be from there; None if the command or a setting decided already.
        texts: that are trained on.
    """
    if request.with_encoder is None:
        return request, ""
    decided = request.model_copy(update={"with_encoder": None})
    folder = Path(str(request.with_encoder.start))
    tokens = tokens_per_word(texts, Tokenizer.from_file(str(folder / "tokenizer.json")))
    if tokens > MOST_TOKENS_PER_WORD:
        said = f"not from {folder.name}, which is of English and Chinese text: {tokens:.1f} of its tokens a word"
        return decided, f"starts at random, {said}"
    why = f"{tokens:.2f} tokens a word" if tokens else "the texts have no words"
    said = f"starts from {folder.name} ({why}); --start none starts at random"
    return decided.model_copy(update={"config": request.with_encoder}), said


def tokens_per_word(texts: Sequence[str], tokenizer: Tokenizer) -> float:
    """Tokens a word of a sample, where each Han character is a word; 0 without words."""
    some = texts[:: max(1, len(texts) // SAMPLE)]
    words = [_WORD.findall(text) for text in some]
    encoded = tokenizer.encode_batch([" ".join(each) for each in words], add_special_tokens=False)
    return sum(len(each.ids) for each in encoded) / max(1, sum(map(len, words)))

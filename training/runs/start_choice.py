"""Decides whether a run starts from the shipped encoder, by the languages of its texts."""

from collections.abc import Sequence
from pathlib import Path

from tokenizers import Tokenizer

from training.config.request import Request
from training.data.coverage import MOST_TOKENS_PER_WORD, tokens_per_word


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

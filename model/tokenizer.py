"""The tokenizer of a checkpoint: how a text is cleaned and cut into pieces, and how its vocabulary is learned.

One `tokenizers` pipeline, stored whole in the checkpoint:

1. Characters that nobody sees go away, and Unicode NFKC makes full width, ligatures and the like plain. Typographic
   apostrophes become plain, letters lower case (on request). A letter stands at most twice in a row, another sign at
   most three times: "sooooo good!!!!!!!" is "soo good!!!".
2. Split: white space away; each Chinese character by itself, or (on request) runs of them together; words, numbers and
   runs of punctuation or symbols apart; English contractions as in the Penn Treebank ("don't" -> "do", "n't"), so that
   raw and tokenised text agree.
3. Bytes, then byte-pair encoding inside each piece. All 256 bytes are in the vocabulary: no input is unknown.

There are no special tokens, so nothing that a user types can collide with one.

Source: Sennrich et al. 2016 (byte-pair encoding); Radford et al. 2019 (over bytes).
"""

import json
from collections.abc import Iterable
from typing import Any, NamedTuple

from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers

END_OF_WORD = "</w>"
"""Suffix of a token that ends a piece."""

MAX_PIECE_CHARS = 64
"""Longer words are cut into runs of this many characters; bounds the cost of byte-pair encoding."""

MAX_SIGNS = 16
"""The same for Chinese characters, digits and other signs."""

JOINED = (
    r"\p{Arabic}\p{Syriac}\p{Mandaic}\p{Nko}\p{Mongolian}\p{Devanagari}\p{Bengali}\p{Gurmukhi}\p{Gujarati}\p{Oriya}"
    r"\p{Tamil}\p{Telugu}\p{Kannada}\p{Malayalam}\p{Sinhala}\p{Tibetan}\p{Myanmar}\p{Khmer}"
)
"""Scripts in whose words a joiner makes a difference (Unicode Standard Annex 31, section 2.3)."""

EMOJI = r"\p{So}\x{1F3FB}-\x{1F3FF}\x{FE0F}♀♂"
"""What a zero-width joiner makes one picture of."""

INVISIBLE = (
    r"[\p{Default_Ignorable_Code_Point}&&[^\x{200C}\x{200D}]]"
    r"|[\p{Cc}&&[^\s]]"
    rf"|(?<![{JOINED}])\x{{200C}}"
    rf"|(?<![{JOINED}{EMOJI}])\x{{200D}}|\x{{200D}}(?![{JOINED}{EMOJI}])"
)
"""Byte order marks, soft hyphens, direction marks, zero-width spaces, variation selectors, control characters; and
joiners, but for those between emoji and in scripts that need them.

Source: Unicode Standard Annex 44, Default_Ignorable_Code_Point: "should be ignored in rendering".
"""

LENGTHENED = (r"(\p{L})(?=\1\1)", r"([^\s\p{L}\p{M}\p{N}])(?=\1\1\1)")
"""What stands too often in a row: the letters but the last two of a run, and other signs but the last three."""

PIECE = (
    r"n't(?!\p{L})"
    r"|'(?:s|re|ve|ll|m|d)(?!\p{L})"
    r"|\p{Han}"
    rf"|(?:(?!n't(?!\p{{L}})|\p{{Han}})[\p{{L}}\p{{M}}]){{1,{MAX_PIECE_CHARS}}}"
    rf"|\p{{N}}{{1,{MAX_SIGNS}}}"
    rf"|[^\s\p{{L}}\p{{M}}\p{{N}}]{{1,{MAX_SIGNS}}}"
)


def build_tokenizer(*, lowercase: bool = True, chinese_words: bool = False) -> Tokenizer:
    """Builds the pipeline with an empty vocabulary, which `train_vocabulary` fills.

    Args:
        lowercase: drop case.
        chinese_words: byte-pair encoding finds words in runs of Chinese characters; else each character is a piece.
    """
    steps: list[Any] = [normalizers.Replace(Regex(INVISIBLE), ""), normalizers.NFKC()]
    steps += [normalizers.Replace("\u2019", "'"), *[normalizers.Lowercase()] * lowercase]
    steps += [normalizers.Replace(Regex(pattern), "") for pattern in LENGTHENED]
    return _pipeline(steps, PIECE.replace(r"|\p{Han}", rf"|\p{{Han}}{{1,{MAX_SIGNS}}}", 1) if chinese_words else PIECE)


def first_tokenizer() -> Tokenizer:
    """The pipeline of checkpoints made until November 2026, which are served as they are."""
    return _pipeline([normalizers.NFKC(), normalizers.Replace("\u2019", "'"), normalizers.Lowercase()], PIECE)


def _pipeline(steps: list[Any], piece: str) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE(end_of_word_suffix=END_OF_WORD))
    tokenizer.normalizer = normalizers.Sequence(steps)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(piece), "removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    return tokenizer


def train_vocabulary(tokenizer: Tokenizer, texts: Iterable[str], *, vocab_size: int, min_frequency: int) -> Tokenizer:
    """Learns the merges from `texts`; the same texts give the same vocabulary, id for id.

    Args:
        tokenizer: an untrained pipeline; it is not changed.
        texts: the training texts only.
        vocab_size: upper bound on tokens; at least 512, the 256 bytes inside and at the end of a piece.
        min_frequency: pairs seen less often are not merged.
    """
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        min_frequency=min_frequency,
        initial_alphabet=alphabet,
        # Named here so that all of them exist and have fixed ids: left to itself the trainer keeps only those that it
        # met, numbered in an order that changes from run to run, and ties between merges fall by number.
        special_tokens=[byte + END_OF_WORD for byte in alphabet],
        end_of_word_suffix=END_OF_WORD,
        show_progress=False,
    )
    learned = Tokenizer.from_str(tokenizer.to_str())
    learned.train_from_iterator((replace_surrogates(text) for text in texts), trainer)
    state = json.loads(learned.to_str())
    state["added_tokens"] = []  # They are plain vocabulary: text that spells one must not become it.
    return Tokenizer.from_str(json.dumps(state))


def replace_surrogates(text: str) -> str:
    r"""Replaces lone surrogates, which are not Unicode text, by U+FFFD as the Unicode standard advises.

    >>> replace_surrogates("good \ud800 film") == "good \ufffd film"
    True
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


class Pipeline(NamedTuple):
    """Options of a pipeline in lower case.

    Attributes:
        cleans: removes what is invisible, and shortens what is lengthened.
        chinese_words: keeps Chinese characters together.
    """

    cleans: bool
    chinese_words: bool


def recognise(tokenizer: Tokenizer) -> Pipeline | None:
    """The options of a pipeline that is ours, in lower case; None for any other."""
    parts = _parts(tokenizer)
    for words in (False, True):
        if parts == _parts(build_tokenizer(chinese_words=words)):
            return Pipeline(cleans=True, chinese_words=words)
    return Pipeline(cleans=False, chinese_words=False) if parts == _parts(first_tokenizer()) else None


MODEL_OPTIONS = (
    *("end_of_word_suffix", "continuing_subword_prefix", "unk_token"),
    *("dropout", "fuse_unk", "byte_fallback", "ignore_merges"),
)
"""Attributes of a model of byte-pair encoding that change what it does."""


def _parts(tokenizer: Tokenizer) -> list[Any]:
    """All parts but the vocabulary, which takes a tenth of a second to write out while the interpreter is held."""
    parts = [tokenizer.normalizer, tokenizer.pre_tokenizer]
    model = tokenizer.model
    return [
        *(None if part is None else part.__getstate__() for part in parts),
        tokenizer.get_added_tokens_decoder(),
        tokenizer.truncation,
        tokenizer.padding,
        type(model),
        *(getattr(model, name, None) for name in MODEL_OPTIONS),
    ]

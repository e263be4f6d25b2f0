"""Starting vectors for the embedding: of a file (GloVe, word2vec, fastText) or of a Hugging Face model's input.

Our tokens are pieces of words; a whole word takes its own vector, another piece the mean of the pieces that the source
cuts it into.

Shape suffixes: V our vocabulary, E width, W words of a file, P pieces of a Hugging Face vocabulary.
"""

import gzip
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal, Protocol, cast

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from model.tokenizer import END_OF_WORD
from training.errors import DataError, UsageError
from training.teachers.hugging_face import load_hugging_face

Floats = npt.NDArray[np.float32]
Match = Literal["word", "pieces", "none"]

SUFFIXES = (".txt", ".vec")
"""Of files of vectors; also with `.gz`."""


class Source(Protocol):
    """Where vectors come from."""

    @property
    def width(self) -> int:
        """Width E of the vectors."""

    def find(self, token: str, *, ends_word: bool) -> tuple[Floats | None, Match]:
        """The vector [E] of a token, and how it was found."""


@dataclass(frozen=True, slots=True)
class StartVectors:
    """An embedding to start from.

    Attributes:
        matrix_VE: float32; of uniform spread, random where nothing was found.
        matched: how many tokens of the vocabulary were found, and how.
        text_share: share of the tokens of the texts that were found as words or from pieces, 0 to 1.
    """

    matrix_VE: Floats
    matched: dict[Match, int]
    text_share: float

    def describe(self) -> str:
        """The coverage in a line."""
        total = sum(self.matched.values())
        return (
            f"starting vectors: {self.matched['word']:,} of {total:,} tokens as words, {self.matched['pieces']:,} from "
            f"pieces, {self.matched['none']:,} not found; {self.text_share:.1%} of the tokens of the texts covered"
        )


class FileVectors:
    """Vectors of words in a text file: a word and its numbers a line, a first line of two numbers is a header.

    Only the `wanted` words are kept: a file of two million words costs little memory.

    Source: the formats of GloVe (Pennington et al. 2014), word2vec's text output and fastText's `.vec`.

    Raises:
        DataError: the file is missing, not UTF-8, or a line has another number of numbers than the first.
    """

    def __init__(self, path: Path, wanted: set[str]) -> None:
        self._vectors: dict[str, Floats] = {}
        self.width = self._num_lines = 0
        try:
            with _open(path) as lines:
                for number, line in enumerate(lines, 1):
                    self._take(path, number, line.decode("utf-8"), wanted)
        except (OSError, EOFError) as error:
            raise DataError(path, f"cannot be read: {getattr(error, 'strerror', None) or error}") from error
        except UnicodeDecodeError as error:
            raise DataError(path, "is not UTF-8 text; binary vectors must be converted first") from error
        if not self._num_lines:
            raise DataError(path, "holds no vectors")

    def _take(self, path: Path, number: int, line: str, wanted: set[str]) -> None:
        fields = line.rstrip("\r\n ").split(" ")
        if number == 1 and len(fields) == 2 and fields[1].isdigit():
            self.width = int(fields[1])
            return
        self._num_lines += 1
        self.width = self.width or len(fields) - 1
        word = " ".join(fields[: len(fields) - self.width])  # GloVe's 840B file has words with spaces
        if not word or self.width < 2:
            raise DataError(path, f"line {number}: not a word and its {self.width} numbers")
        if word in wanted and word not in self._vectors:
            try:
                self._vectors[word] = np.array(fields[-self.width :], dtype=np.float32)
            except ValueError as error:
                raise DataError(path, f"line {number}: not a word and its {self.width} numbers") from error

    def find(self, token: str, *, ends_word: bool) -> tuple[Floats | None, Match]:
        """The vector of the word; a piece that is not a word has none."""
        vector = self._vectors.get(token) if ends_word else None
        return vector, "none" if vector is None else "word"


class HuggingFaceVectors:
    """The input embedding of a Hugging Face model, looked up by the model's own tokenizer."""

    def __init__(self, folder: Path) -> None:
        model, self._tokenizer = load_hugging_face(folder, "AutoModel")
        self._matrix_PE: Floats = model.get_input_embeddings().weight.detach().float().cpu().numpy()
        self.width = int(self._matrix_PE.shape[1])

    def find(self, token: str, *, ends_word: bool) -> tuple[Floats | None, Match]:
        """The vector of the token, or the mean of those of its pieces."""
        ids: list[int] = self._tokenizer.encode(token, add_special_tokens=False)
        if not ids or self._tokenizer.unk_token_id in ids:
            return None, "none"
        mean_E: Floats = self._matrix_PE[ids].mean(axis=0)
        return mean_E, "word" if len(ids) == 1 and ends_word else "pieces"


def open_source(path: Path, tokenizer: Tokenizer) -> Source:
    """The vectors at `path`: a file's, or a folder's embedding matrix."""
    if path.is_dir():
        return HuggingFaceVectors(path)
    if not set(SUFFIXES) & set(path.suffixes):
        raise UsageError(
            f"{path}: unknown kind of vectors; give a text file ({', '.join(SUFFIXES)}) or a model's folder"
        )
    return FileVectors(path, {text for text, ends in spelled_tokens(tokenizer) if ends and text is not None})


def start_vectors(
    tokenizer: Tokenizer, source: Source, texts: Sequence[str], *, spread: float, seed: int
) -> StartVectors:
    """The embedding for `tokenizer`.

    Args:
        tokenizer: trained.
        source: of the vectors.
        texts: to say how much of them is covered.
        spread: root mean square of the elements; found vectors are centred and scaled to it, so that those of any
            source suit the first weights of the network.
        seed: of the vectors that were not found.
    """
    spelled = spelled_tokens(tokenizer)
    matrix_VE = np.random.default_rng(seed).standard_normal((len(spelled), source.width)).astype(np.float32) * spread
    matches: list[Match] = []
    for place, (text, ends_word) in enumerate(spelled):
        vector_E, match = (None, "none") if text is None else source.find(text, ends_word=ends_word)
        if vector_E is not None:
            matrix_VE[place] = vector_E
        matches.append(match)
    found_V = np.array([match != "none" for match in matches])
    if found_V.any():
        centred = matrix_VE[found_V] - matrix_VE[found_V].mean(axis=0)
        matrix_VE[found_V] = centred * (spread / max(float(np.sqrt((centred**2).mean())), 1e-12))
    counts = Counter(matches)
    matched: dict[Match, int] = {"word": counts["word"], "pieces": counts["pieces"], "none": counts["none"]}
    return StartVectors(matrix_VE, matched, _text_share(tokenizer, found_V, texts))


def spelled_tokens(tokenizer: Tokenizer) -> list[tuple[str | None, bool]]:
    """Text of each token by id (None if it is no whole characters), and if it ends a word.

    The text is the token's bytes, one printable character for each.
    Source: Radford et al. 2019 (GPT-2), byte-level vocabulary.
    """
    from_unicode = byte_of_character()
    spelled: list[tuple[str | None, bool]] = [(None, False)] * tokenizer.get_vocab_size()
    for token, place in tokenizer.get_vocab().items():
        body = token.removesuffix(END_OF_WORD)
        try:
            text: str | None = bytes(from_unicode[character] for character in body).decode("utf-8")
        except (KeyError, UnicodeDecodeError):
            text = None
        spelled[place] = (text or None, body != token)
    return spelled


def byte_of_character() -> Mapping[str, int]:
    """The byte for which each character of a byte-level vocabulary stands.

    >>> byte_of_character()["a"], byte_of_character()["Ġ"]
    (97, 32)
    """
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(256 + i): byte for i, byte in enumerate(others)}


def _text_share(tokenizer: Tokenizer, found_V: npt.NDArray[np.bool_], texts: Sequence[str]) -> float:
    encodings = tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
    ids = np.concatenate([np.asarray(encoding.ids, dtype=np.int64) for encoding in encodings] or [np.zeros(0, int)])
    return float(found_V[ids].mean()) if len(ids) else 0.0


def _open(path: Path) -> BinaryIO:
    return cast(BinaryIO, gzip.open(path)) if path.suffix == ".gz" else path.open("rb")

import gzip
from pathlib import Path

import numpy as np
import pytest
import transformers
from tokenizers import Tokenizer

from model.tokenizer import build_tokenizer, train_vocabulary
from tests.training.teachers.hugging_face import write_encoder
from training.errors import DataError, UsageError
from training.teachers.vectors import FileVectors, open_source, spelled_tokens, start_vectors

TEXTS = ["a good film", "a goodly film", "不好", "Wörter"] * 2
GLOVE = "good 1 2 3\nfilm -1 0 5\n. . 9 9 9\n不 4 4 -4\nunused 1 1 1\n"


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return train_vocabulary(build_tokenizer(), TEXTS, vocab_size=700, min_frequency=1)


def write(path: Path, content: str) -> Path:
    data = content.encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def test_tokens_are_spelled_as_text(tokenizer: Tokenizer) -> None:
    spelled = spelled_tokens(tokenizer)
    vocabulary = tokenizer.get_vocab()
    assert spelled[vocabulary["good</w>"]] == ("good", True)
    assert spelled[vocabulary["goodl"]] == ("goodl", False)
    assert ("不", True) in spelled
    assert ("wörter", True) in spelled
    assert spelled[vocabulary["ä"]] == (None, False)  # a byte that begins a character
    assert len(spelled) == tokenizer.get_vocab_size()


@pytest.mark.parametrize("name", ["glove.txt", "glove.txt.gz"])
def test_words_of_a_file_take_their_vectors(tmp_path: Path, tokenizer: Tokenizer, name: str) -> None:
    source = open_source(write(tmp_path / name, GLOVE), tokenizer)
    start = start_vectors(tokenizer, source, TEXTS, spread=0.5, seed=0)
    vocabulary = tokenizer.get_vocab()
    rows = start.matrix_VE[[vocabulary["good</w>"], vocabulary["film</w>"], vocabulary["ä¸į</w>"]]]
    given = np.array([[1, 2, 3], [-1, 0, 5], [4, 4, -4]], dtype=np.float32)
    centred = given - given.mean(axis=0)
    np.testing.assert_allclose(rows, centred * 0.5 / np.sqrt((centred**2).mean()), rtol=1e-5)
    assert start.matched == {"word": 3, "pieces": 0, "none": len(vocabulary) - 3}
    # Of the pieces a good film | a goodly film | 不 好 | wörter three are words of the file, in 2 of 4 texts film.
    assert start.text_share == pytest.approx(4 / 9)
    assert np.sqrt((start.matrix_VE**2).mean()) == pytest.approx(0.5, rel=0.05)
    assert f"3 of {len(vocabulary)} tokens as words" in start.describe()


def test_the_header_of_word2vec_and_words_with_spaces_are_understood(tmp_path: Path) -> None:
    source = FileVectors(write(tmp_path / "a.vec", "2 3\nat name 7 8 9\ngood 1 2 3\n"), {"good", "at name"})
    assert source.width == 3
    vector, match = source.find("at name", ends_word=True)
    assert vector is not None
    assert (vector.tolist(), match) == ([7, 8, 9], "word")
    assert source.find("good", ends_word=False) == (None, "none")


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        ("", "no vectors"),
        ("good 1 2 3\nfilm 1\n", "line 2"),
        ("good 1 2 x\n", "line 1"),
        ("a\n", "line 1"),
        ("9 3\n", "no vectors"),
    ],
)
def test_damaged_files_are_refused(tmp_path: Path, content: str, cause: str) -> None:
    with pytest.raises(DataError, match=cause):
        FileVectors(write(tmp_path / "a.txt", content), {"good", "film", "a"})


def test_files_of_another_kind_are_refused(tmp_path: Path, tokenizer: Tokenizer) -> None:
    (tmp_path / "a.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(DataError, match="UTF-8"):
        open_source(tmp_path / "a.txt", tokenizer)
    with pytest.raises(DataError, match="cannot be read"):
        open_source(tmp_path / "b.txt", tokenizer)
    with pytest.raises(UsageError, match="unknown kind"):
        open_source(tmp_path / "a.bin", tokenizer)


def test_a_model_gives_words_their_vectors_and_others_the_mean_of_their_pieces(
    tmp_path: Path, tokenizer: Tokenizer
) -> None:
    folder = write_encoder(tmp_path / "encoder")
    source = open_source(folder, tokenizer)
    matrix = transformers.AutoModel.from_pretrained(folder).get_input_embeddings().weight.detach().numpy()
    ids = transformers.AutoTokenizer.from_pretrained(folder).get_vocab()
    word, match = source.find("good", ends_word=True)
    np.testing.assert_array_equal(word, matrix[ids["good"]])
    assert match == "word"
    pieces, match = source.find("goodly", ends_word=True)
    assert pieces is not None
    np.testing.assert_allclose(pieces, (matrix[ids["good"]] + matrix[ids["##ly"]]) / 2, rtol=1e-5)
    assert match == "pieces"
    assert source.find("xyz", ends_word=True) == (None, "none")
    start = start_vectors(tokenizer, source, TEXTS, spread=0.1, seed=0)
    assert start.matrix_VE.shape == (tokenizer.get_vocab_size(), 16)
    assert start.matched["word"] >= 5
    assert 0.8 < start.text_share < 1

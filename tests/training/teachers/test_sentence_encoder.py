from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from click.testing import CliRunner

import training.teachers.sentence_encoder
from tests.training.teachers.hugging_face import write_encoder
from training.__main__ import main
from training.data.sentence_vectors import VectorFile
from training.errors import RunError, UsageError
from training.teachers.labelling import Labelled
from training.teachers.sentence_encoder import SentenceEncoder, write_vectors

CPU = torch.device("cpu")
TEXTS = ["good film", "a very very bad film .", "not good !", "好", "the " * 30]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_encoder(tmp_path_factory.mktemp("encoders") / "tiny-bert")


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training.teachers.sentence_encoder, "PART_TEXTS", 2)


def load(folder: Path, *, prefix: str = "", max_tokens: int = 20) -> SentenceEncoder:
    return SentenceEncoder(folder, max_tokens=max_tokens, prefix=prefix, device=CPU)


def write_texts(path: Path, *texts: str) -> Path:
    path.write_text("text\n" + "".join(f'"{text}"\n' for text in texts), encoding="utf-8")
    return path


def read(path: Path) -> tuple[list[str | None], np.ndarray[tuple[int, ...], np.dtype[np.float16]]]:
    batches = list(VectorFile.open(path, text_column="text").read())
    return [text for texts, _ in batches for text in texts], np.concatenate([vectors for _, vectors in batches])


@pytest.mark.parametrize("prefix", ["", "good"])
def test_a_vector_is_the_mean_of_the_last_states_text_by_text(folder: Path, prefix: str) -> None:
    model, tokenizer = (
        transformers.AutoModel.from_pretrained(folder).eval(),
        transformers.AutoTokenizer.from_pretrained(folder),
    )
    found = load(folder, prefix=prefix).vectors(TEXTS)
    assert found.dtype == np.float16
    for text, vector in zip(TEXTS, found, strict=True):
        inputs = tokenizer(f"{prefix} {text}".strip(), truncation=True, max_length=20, return_tensors="pt")
        with torch.inference_mode():
            expected = model(**inputs).last_hidden_state[0].mean(0)
        np.testing.assert_allclose(vector, expected / expected.norm(), atol=0.02)  # bfloat16 in places
        assert np.linalg.norm(vector.astype(np.float32)) == pytest.approx(1, abs=1e-3)


def test_how_texts_are_read_makes_another_source(folder: Path) -> None:
    sources = {load(folder, **options).source.digest for options in ({}, {"prefix": "good"}, {"max_tokens": 9})}
    assert len(sources) == 3
    assert load(folder).source.name == "tiny-bert"


def test_each_text_once_and_the_shortest_first(folder: Path, tmp_path: Path) -> None:
    path, encoder = write_texts(tmp_path / "texts.csv", *TEXTS[:3], "好", "good film"), load(folder)
    assert write_vectors(encoder, [path, path], tmp_path / "out" / "v.parquet", text_column="text") == 4
    texts, vectors = read(tmp_path / "out" / "v.parquet")
    assert texts == ["好", "good film", "not good !", "a very very bad film ."]
    np.testing.assert_allclose(vectors, encoder.vectors([str(text) for text in texts]), atol=0.02)
    assert write_vectors(encoder, [path], tmp_path / "half.parquet", text_column="text", shard=(2, 2)) == 2
    with pytest.raises(UsageError, match="is a file to read"):
        write_vectors(encoder, [path], path, text_column="text")
    assert read(tmp_path / "half.parquet")[0] == ["好", "a very very bad film ."]
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["half.parquet", "out", "texts.csv"]


def test_a_broken_run_goes_on_where_it_was(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, output, encoder = write_texts(tmp_path / "texts.csv", *TEXTS), tmp_path / "v.parquet", load(folder)
    asked: list[str] = []
    answer = encoder.vectors

    def vectors(texts: list[str]) -> object:
        if len(asked) == 2:
            raise KeyboardInterrupt
        asked.extend(texts)
        return answer(texts)

    monkeypatch.setattr(encoder, "vectors", vectors)
    with pytest.raises(KeyboardInterrupt):
        write_vectors(encoder, [path], output, text_column="text")
    assert not output.exists()
    monkeypatch.setattr(encoder, "vectors", answer)
    seen: list[Labelled] = []
    assert write_vectors(encoder, [path], output, text_column="text", report=seen.append) == 5
    assert [(part.done, part.texts_per_s > 0) for part in seen] == [(2, False), (4, True), (5, True)]
    np.testing.assert_allclose(read(output)[1], answer(sorted((text.strip() for text in TEXTS), key=len)), atol=0.02)


def test_vectors_that_are_not_finite_are_refused(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder, path = load(folder), write_texts(tmp_path / "texts.csv", "good")
    monkeypatch.setattr(encoder, "vectors", lambda texts: np.full((len(texts), 2), np.nan, dtype=np.float16))
    with pytest.raises(RunError, match="not finite"):
        write_vectors(encoder, [path], tmp_path / "v.parquet", text_column="text")
    assert not (tmp_path / "v.parquet").exists()


def test_the_command_writes_a_file(folder: Path, tmp_path: Path) -> None:
    texts, output = write_texts(tmp_path / "texts.csv", *TEXTS[:3]), tmp_path / "v.parquet"
    arguments = ["vectors", texts, "--encoder", folder, "--output", output, "--prefix", "good", "--device", "cpu"]
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    assert "tiny-bert: read 3 of 3 texts" in result.output
    assert f"wrote the vectors of 3 texts to {output}" in result.output.replace("\n", "")
    np.testing.assert_allclose(
        read(output)[1], load(folder, prefix="good", max_tokens=128).vectors([TEXTS[0], TEXTS[2], TEXTS[1]]), atol=0.02
    )
    bad = CliRunner().invoke(main, ["vectors", str(texts), "--encoder", str(tmp_path), "--output", str(output)])
    assert (bad.exit_code, "not a model's folder" in bad.output) == (2, True)

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForSequenceClassification

from tests.training.teachers.hugging_face import write_encoder
from training.data.dataset import Dataset, read_dataset
from training.errors import UsageError
from training.teachers.fine_tune import Step, TeachConfig, fine_tune, parse_teach_config
from training.teachers.teacher import load_teacher

CPU = torch.device("cpu")
SETTINGS = TeachConfig(epochs=6, learning_rate=0.01, batch_rows=8, validations_per_epoch=2)


def write_data(folder: Path, num_rows: int, seed: int) -> Dataset:
    """Texts that are positive if they have the word good."""
    rng = np.random.default_rng(seed)
    rows = [
        f"{' '.join(rng.permutation(['a', 'film', ('bad', 'good')[i % 2], *['very'] * (i % 3)]))},"
        f"{('negative', 'positive')[i % 2]}"
        for i in range(num_rows)
    ]
    path = folder / f"{seed}.csv"
    path.write_text("\n".join(["text,label", *rows]), encoding="utf-8")
    return read_dataset(path, text_column="text", label_column="label")


def test_an_encoder_becomes_a_teacher_that_transformers_loads(tmp_path: Path) -> None:
    encoder, output = write_encoder(tmp_path / "encoder"), tmp_path / "teacher"
    train, validation = write_data(tmp_path, 60, 0), write_data(tmp_path, 20, 1)
    steps: list[Step] = []
    best = fine_tune(encoder, [train, train], validation, output, SETTINGS, device=CPU, report=steps.append)
    assert best == 1.0
    assert [step.step for step in steps] == list(range(1, 6 * 15 + 1))
    assert len([step for step in steps if step.accuracy is not None]) == 12
    assert steps[-1].loss < 0.3 < steps[0].loss
    model = AutoModelForSequenceClassification.from_pretrained(output)
    assert model.config.id2label == {0: "negative", 1: "positive"}
    logits = load_teacher(output, max_tokens=20, device=CPU).logits(["a good film", "a bad film"])
    assert logits.argmax(1).tolist() == [1, 0]


def test_a_frozen_embedding_stays_as_it_is(tmp_path: Path) -> None:
    encoder = write_encoder(tmp_path / "encoder")
    train, validation = write_data(tmp_path, 20, 0), write_data(tmp_path, 10, 1)
    before = load_words(encoder)
    for frozen in (True, False):
        config = SETTINGS.model_copy(update={"freeze_embedding": frozen, "epochs": 1})
        fine_tune(encoder, [train], validation, tmp_path / str(frozen), config, device=CPU)
        assert torch.equal(load_words(tmp_path / str(frozen)), before) == frozen


def load_words(folder: Path) -> torch.Tensor:
    model = AutoModelForSequenceClassification.from_pretrained(folder)
    embedding: torch.Tensor = model.get_input_embeddings().weight.detach()
    return embedding


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    train = write_data(tmp_path, 4, 0)
    with pytest.raises(UsageError, match="exists"):
        fine_tune(tmp_path, [train], train, tmp_path, SETTINGS, device=CPU)


def test_settings_are_checked() -> None:
    assert parse_teach_config(["epochs=3", "freeze_embedding=true"]) == TeachConfig(epochs=3, freeze_embedding=True)
    with pytest.raises(UsageError, match=r"epochs: .* greater than or equal to 1; warm: Extra"):
        parse_teach_config(["epochs=0", "warm=1"])

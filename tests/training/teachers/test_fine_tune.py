from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers

from tests.training.cli.commands import call
from tests.training.teachers.hugging_face import write_encoder
from training.data.dataset import Dataset, read_dataset
from training.errors import DataError, DivergedError, UsageError
from training.teachers import pooled
from training.teachers.fine_tune import (
    Step,
    TeachConfig,
    check_validation,
    fine_tune,
    joined_labels,
    parse_teach_config,
)
from training.teachers.pooled import Head, load_pooled, start_pooled
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


def test_an_encoder_becomes_a_teacher(tmp_path: Path) -> None:
    encoder, output = write_encoder(tmp_path / "encoder"), tmp_path / "teacher"
    train, validation = write_data(tmp_path, 60, 0), write_data(tmp_path, 20, 1)
    steps: list[Step] = []
    best = fine_tune(encoder, [train, train], [validation], output, SETTINGS, device=CPU, report=steps.append)
    assert best == 1.0
    assert [step.step for step in steps] == list(range(1, 6 * 15 + 1))
    assert len([step for step in steps if step.accuracy is not None]) == 12
    assert steps[-1].loss < 0.3 < steps[0].loss
    assert transformers.AutoModel.from_pretrained(output).config.hidden_size == 16
    teacher = load_teacher(output, max_tokens=20, device=CPU)
    assert teacher.labels == ("negative", "positive")
    assert teacher.logits(["a good film", "a bad film"]).argmax(1).tolist() == [1, 0]


def test_a_frozen_embedding_stays_as_it_is(tmp_path: Path) -> None:
    encoder = write_encoder(tmp_path / "encoder")
    train, validation = write_data(tmp_path, 20, 0), write_data(tmp_path, 10, 1)
    before = load_words(encoder)
    for frozen in (True, False):
        config = SETTINGS.model_copy(update={"freeze_embedding": frozen, "epochs": 1})
        fine_tune(encoder, [train], [validation], tmp_path / str(frozen), config, device=CPU)
        assert torch.equal(load_words(tmp_path / str(frozen)), before) == frozen


def load_words(folder: Path) -> torch.Tensor:
    model = transformers.AutoModel.from_pretrained(folder)
    embedding: torch.Tensor = model.get_input_embeddings().weight.detach()
    return embedding


def test_a_save_that_is_cut_off_leaves_the_best_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder, output = write_encoder(tmp_path / "encoder"), tmp_path / "out" / "teacher"
    model, tokenizer = start_pooled(encoder, Head(labels=("a", "b")))
    model.save(output, tokenizer)
    before = {path.name: path.read_bytes() for path in output.iterdir()}
    with torch.no_grad():
        model.encoder.get_input_embeddings().weight.add_(1)

    def cut(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(pooled, "save_file", cut)
    with pytest.raises(KeyboardInterrupt):
        model.save(output, tokenizer)
    assert {path.name: path.read_bytes() for path in output.iterdir()} == before
    assert list(output.parent.iterdir()) == [output]


def test_validation_files_of_one_name_all_count(tmp_path: Path) -> None:
    encoder, train = write_encoder(tmp_path / "encoder"), write_data(tmp_path, 8, 0)
    folders = [tmp_path / language / "reviews" for language in ("en", "zh")]
    for folder in folders:
        folder.mkdir(parents=True)
    validation = [write_data(folder, 4, 1) for folder in folders]
    steps: list[Step] = []
    config = SETTINGS.model_copy(update={"epochs": 1, "validations_per_epoch": 1})
    fine_tune(encoder, [train], validation, tmp_path / "teacher", config, device=CPU, report=steps.append)
    assert list(steps[-1].accuracies) == [str(dataset.path.resolve()) for dataset in validation]


def test_a_teacher_that_diverges_is_not_written(tmp_path: Path) -> None:
    encoder, train = write_encoder(tmp_path / "encoder"), write_data(tmp_path, 8, 0)
    config = SETTINGS.model_copy(update={"epochs": 1, "learning_rate": 1e38})
    with pytest.raises(DivergedError, match="Most often the learning rate is too high: its peak is 1e\\+38"):
        fine_tune(encoder, [train], [train], tmp_path / "teacher", config, device=CPU)
    assert not (tmp_path / "teacher").exists()


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    train = write_data(tmp_path, 4, 0)
    with pytest.raises(UsageError, match="exists"):
        fine_tune(tmp_path, [train], [train], tmp_path, SETTINGS, device=CPU)


def test_settings_are_checked() -> None:
    assert parse_teach_config(["epochs=3", "freeze_embedding=true"]) == TeachConfig(epochs=3, freeze_embedding=True)
    with pytest.raises(
        UsageError, match=r"epochs: .* greater than or equal to 1 \(got '0'\)\nwarm: unknown; did you mean warmup"
    ):
        parse_teach_config(["epochs=0", "warm=1"])


def test_validation_texts_must_have_labels_of_the_teacher(tmp_path: Path) -> None:
    (tmp_path / "odd.csv").write_text("text,label\na film,negative\nso so,neutral\n")
    odd = read_dataset(tmp_path / "odd.csv")
    remedy = "correct these labels, delete these rows, or add a --train file that has the label"
    with pytest.raises(DataError, match=rf"odd.csv, row 2 .*label 'neutral' is unknown; .*; {remedy}"):
        check_validation([odd], ("negative", "positive"))
    with pytest.raises(UsageError, match=r"odd\.csv: has lists of labels"):
        check_validation([replace(odd, task="multi_label")], ("negative", "neutral"))


def test_the_command_merges_labels_over_all_files(tmp_path: Path) -> None:
    """It stops after the files, for there is no encoder."""
    (tmp_path / "train.csv").write_text("text,label\na film,negative\nthe film,positive\n")
    (tmp_path / "dev.csv").write_text("text,label\nno film,Negative\n")
    files = ("--train", tmp_path / "train.csv", "--validation", tmp_path / "dev.csv")
    command = ("teach", "--encoder", tmp_path / "none", *files, "--output", tmp_path / "teacher")
    refused = call(*command)
    assert refused.exit_code == 2
    assert "label 'Negative' is unknown; " in refused.output
    assert "--merge-labels reads it as 'negative'" in refused.output
    merged = call(*command, "--merge-labels")
    assert merged.exit_code == 2
    assert "is unknown" not in merged.output
    assert f"{tmp_path / 'none'}" in merged.output


def test_the_command_tells_that_probabilities_are_not_learned(tmp_path: Path) -> None:
    (tmp_path / "soft.csv").write_text("text,neg,pos\none film,0.2,0.8\nno film,0.7,0.3\n")
    files = ("--train", tmp_path / "soft.csv", "--validation", tmp_path / "soft.csv")
    refused = call("teach", "--encoder", tmp_path / "none", *files, "--output", tmp_path / "teacher")
    assert "probabilities are not learned, but the most probable labels alone" in " ".join(refused.output.split())


def test_a_set_of_two_labels_says_nothing_about_a_third(tmp_path: Path) -> None:
    """Neutral texts are told apart although most good and bad texts come from a set without neutral."""
    encoder, two = write_encoder(tmp_path / "encoder"), write_data(tmp_path, 60, 0)
    path = tmp_path / "three.csv"
    path.write_text(
        "text,label\n" + "a film .,neutral\nthe film,neutral\na bad film,negative\nthe good film,positive\n" * 5
    )
    three = read_dataset(path, text_column="text", label_column="label")
    labels = joined_labels([two, three])
    assert labels == ("negative", "neutral", "positive")
    readings: list[Step] = []
    config = SETTINGS.model_copy(update={"epochs": 10})
    fine_tune(encoder, [two, three], [two, three], tmp_path / "out", config, device=CPU, report=readings.append)
    assert set(readings[-1].accuracies) == {f"{tmp_path.name}/0", f"{tmp_path.name}/three"}
    logits = load_teacher(tmp_path / "out", max_tokens=20, device=CPU).logits(["the film", "a good film", "a bad film"])
    assert logits.argmax(1).tolist() == [1, 2, 0]


@pytest.mark.parametrize("layers", [(), (0, 1)])
def test_a_teacher_keeps_prefix_and_layers_and_can_be_taught_further(tmp_path: Path, layers: tuple[int, ...]) -> None:
    encoder, train = write_encoder(tmp_path / "encoder"), write_data(tmp_path, 20, 0)
    config = SETTINGS.model_copy(update={"epochs": 1, "prefix": "not !", "layers": layers})
    fine_tune(encoder, [train], [train], tmp_path / "first", config, device=CPU)
    loaded, _ = load_pooled(tmp_path / "first")
    assert (loaded.head.prefix, loaded.head.layers) == ("not !", layers)
    assert loaded.classifier.in_features == 16 * max(1, len(layers))
    still = config.model_copy(update={"learning_rate": 1e-12})
    fine_tune(tmp_path / "first", [train], [train], tmp_path / "second", still, device=CPU)
    first, second = (
        load_teacher(tmp_path / name, max_tokens=20, device=CPU).logits(train.texts) for name in ("first", "second")
    )
    np.testing.assert_allclose(first, second, atol=1e-3)
    with pytest.raises(UsageError, match=r"layers=\[2\]: the encoder has hidden states 0 to 1"):
        start_pooled(encoder, Head(labels=("a", "b"), layers=(2,)))


def test_a_damaged_head_is_refused(tmp_path: Path) -> None:
    encoder, train = write_encoder(tmp_path / "encoder"), write_data(tmp_path, 8, 0)
    fine_tune(encoder, [train], [train], tmp_path / "out", SETTINGS.model_copy(update={"epochs": 1}), device=CPU)
    (tmp_path / "out" / "head.json").write_text('{"labels": ["a", "b", "c"]}')
    with pytest.raises(UsageError, match="no whole classifier"):
        load_teacher(tmp_path / "out", max_tokens=20, device=CPU)

"""Pre-training and starting from it, as a user does."""

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from click.testing import Result
from rich.console import Console
from safetensors.torch import load_file

from model.checkpoint import load_checkpoint
from model.errors import CheckpointDamaged, CheckpointError, CheckpointIncompatible, CheckpointMissing
from model.network import RecurrentClassifier
from model.padding import pad
from model.text import TextEncoder
from tests.training.cli.commands import call, metrics_of
from tests.training.conftest import TINY
from tests.training.runs.conftest import SMALL, imitate
from training.artifacts.run_folder import RunFolder
from training.config.request import CallOptions
from training.config.start import load_start
from training.data.sentence_vectors import VectorFile
from training.language_model.folder import load_pretrained
from training.provenance import file_digest
from training.runs.session import Session
from training.runs.train import begin, first_step


@pytest.fixture(scope="module")
def pretrained(reviews: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    """A finished folder, and what its making printed."""
    output = tmp_path_factory.mktemp("pretrained") / "language"
    files = [reviews / "train.csv", reviews / "lists.jsonl", "--without", reviews / "test.csv"]
    return output, call("pretrain", *files, "--output", output, *SMALL)


def test_the_perplexity_falls_and_is_told(pretrained: tuple[Path, Result], reviews: Path) -> None:
    output, result = pretrained
    assert result.exit_code == 0, result.output
    metrics = metrics_of(output)
    perplexity = metrics["perplexity"]
    assert perplexity["after"] < 0.5 * perplexity["before"]
    assert perplexity["forward"] * perplexity["backward"] == pytest.approx(perplexity["after"] ** 2)
    assert metrics["history"][-1]["validation"] >= perplexity["after"]
    assert metrics["tokens_read"] == 6 * metrics["tokens"]
    assert metrics["data"]["texts 2"]["sha256"] == file_digest(reviews / "lists.jsonl")
    assert metrics["config"]["loop.epochs"] == 6
    assert metrics["config"]["texts"] == ["train.csv", "lists.jsonl"]
    assert metrics["command"].startswith("python -m training pretrain train.csv lists.jsonl --without test.csv --set ")
    assert metrics["command"].endswith("--seed 3 --output language")
    assert str(reviews) not in (output / "metrics.json").read_text(encoding="utf-8")
    assert result.output.count("validation perplexity") == 6 + 2
    assert f"wrote {output}" in result.output
    assert not RunFolder(output).path.exists()


def test_the_folder_is_what_it_says(pretrained: tuple[Path, Result]) -> None:
    output, _ = pretrained
    names = {"config.json", "model.safetensors", "tokenizer.json", "metrics.json", "README.md", "SHA256SUMS"}
    assert {path.name for path in output.iterdir()} == names
    for line in (output / "SHA256SUMS").read_text().splitlines():
        digest, name = line.split("  ")
        assert file_digest(output / name) == digest
    loaded = load_pretrained(output)
    assert loaded.tokenizer.get_vocab_size() == loaded.config.vocab_size == len(loaded.weights["bias"])
    assert not [name for name in loaded.weights if "head" in name]


def test_a_classifier_begins_with_these_weights_and_this_tokenizer(
    pretrained: tuple[Path, Result], reviews: Path, tmp_path: Path
) -> None:
    folder = pretrained[0]
    options = CallOptions(output=tmp_path, data_root=tmp_path, train_file=reviews / "train.csv", start=folder)
    request = options.request()
    assert (request.config.architecture.hidden_size, request.config.tokenizer.vocab_size) == (8, 600)
    assert request.config.tokenizer.max_tokens == 512
    run = begin(request, Session(output=tmp_path / "m", device="cpu", console=Console(quiet=True)))
    trainer = first_step(run)
    stored, network = load_file(folder / "model.safetensors"), trainer.network
    weights = network.weights()
    taken = [name for name in weights if name in stored]
    assert taken == [name for name in weights if not name.startswith("head")]
    assert all(torch.equal(weights[name], stored[name]) for name in taken)
    assert json.loads(run.tokenizer.to_str()) == json.loads((folder / "tokenizer.json").read_bytes())


def test_training_from_it_is_recorded(pretrained: tuple[Path, Result], reviews: Path, tmp_path: Path) -> None:
    folder = pretrained[0]
    result = call(
        "train", "--start", folder, "--train", reviews / "train.csv", "--output", tmp_path / "m",
        "--set", "loop.epochs=4", "--set", "loop.layer_decay=0.4", "--set", "loop.learning_rate=0.02",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    metrics, card = metrics_of(tmp_path / "m"), (tmp_path / "m" / "README.md").read_text(encoding="utf-8")
    version = hashlib.sha256((folder / "SHA256SUMS").read_bytes()).hexdigest()[:12]
    assert (metrics["start"]["name"], metrics["start"]["version"]) == ("language", version)
    assert metrics["start"]["data"] == metrics_of(folder)["data"]
    assert metrics["config"]["start"] == "language"
    assert "--start language" in metrics["command"]
    assert "## Pre-training" in card
    assert version in card
    assert str(folder.parent) not in card + (tmp_path / "m" / "metrics.json").read_text(encoding="utf-8")
    assert load_checkpoint(tmp_path / "m").config.architecture.hidden_size == 8


def test_a_student_may_start_from_it(pretrained: tuple[Path, Result], reviews: Path, tmp_path: Path) -> None:
    teacher, train = tmp_path / "teacher", ["--train", reviews / "train.csv"]
    fast = ("--set", "loop.epochs=1", "--set", "ngrams.buckets=0")
    assert call("train", *train, "--output", teacher, *TINY, *fast).exit_code == 0
    distill = ["distill", "--teacher", teacher, *train, "--start", pretrained[0], "--output", tmp_path / "m"]
    result = call(*distill, *fast)
    assert result.exit_code == 0, result.output
    assert metrics_of(tmp_path / "m")["start"]["name"] == "language"
    both = call(*distill, "--vectors", tmp_path / "vectors.vec", "--overwrite")
    assert (both.exit_code, "not from both" in both.output) == (2, True)


def test_what_contradicts_the_folder_is_refused(pretrained: tuple[Path, Result], reviews: Path, tmp_path: Path) -> None:
    train = ["train", "--start", pretrained[0], "--train", reviews / "train.csv", "--output", tmp_path / "m"]
    for setting, message in (
        ("architecture.hidden_size=16", "architecture.hidden_size=16, but the layers of"),
        ("architecture.cell=gru", "have lstm"),
        ("architecture.conv_width=3", "have 0"),
        ("architecture.bidirectional=false", "have True"),
        ("tokenizer.vocab_size=700", "have 600"),
        ("tokenizer.lowercase=false", "have True"),
    ):
        result = call(*train, "--set", setting)
        assert (result.exit_code, message in result.output.replace("\n", " ")) == (2, True), result.output
    options = CallOptions(
        output=tmp_path, data_root=tmp_path, recipe="sst2", start=pretrained[0],
        settings=("architecture.hidden_size=8", "architecture.pooling=max", "tokenizer.max_tokens=9"),
    )  # fmt: skip
    config = options.request().config
    assert (config.architecture.hidden_size, config.architecture.pooling) == (8, "max")
    assert (config.tokenizer.vocab_size, config.tokenizer.max_tokens) == (600, 9)
    compare = call("compare", "--train", reviews / "train.csv", "--set", f"start={pretrained[0]}", "--output", tmp_path)
    assert (compare.exit_code, "leave out start" in compare.output) == (2, True)


def damage_file(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes()[:-1] + b"x")


def lose_file(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()


def sign(folder: Path) -> None:
    """Makes the digests fit the files, as one who alters a folder on purpose would."""
    names = ("config.json", "model.safetensors", "tokenizer.json", "metrics.json")
    lines = [f"{file_digest(folder / name)}  {name}\n" for name in names]
    (folder / "SHA256SUMS").write_text("".join(lines), encoding="utf-8")


def change_shape(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_bytes())
    config["architecture"]["hidden_size"] = 9
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    sign(folder)


def empty_record(folder: Path) -> None:
    (folder / "metrics.json").write_text("{}", encoding="utf-8")
    sign(folder)


@pytest.mark.parametrize(
    ("damage", "kind", "cause"),
    [
        (damage_file, CheckpointDamaged, "model.safetensors: is not the file that was saved"),
        (lose_file, CheckpointMissing, "tokenizer.json"),
        (change_shape, CheckpointIncompatible, r"shape .* asks for"),
        (empty_record, CheckpointDamaged, "not the record of a pre-training"),
    ],
)
def test_a_damaged_folder_is_refused(
    pretrained: tuple[Path, Result], reviews: Path, tmp_path: Path, damage: object, kind: type[Exception], cause: str
) -> None:
    folder = Path(shutil.copytree(pretrained[0], tmp_path / "copy"))
    assert callable(damage)
    damage(folder)
    with pytest.raises(kind, match=cause):
        load_pretrained(folder)
    result = call("train", "--start", folder, "--train", reviews / "train.csv", "--output", tmp_path / "m")
    assert (result.exit_code, isinstance(result.exception, SystemExit)) == (2, True)
    assert not (tmp_path / "m.run").exists()


def test_a_checkpoint_is_no_start_and_the_folder_no_checkpoint(
    pretrained: tuple[Path, Result], tiny_checkpoint: Path
) -> None:
    with pytest.raises(CheckpointIncompatible, match="was not written by pretrain"):
        load_pretrained(tiny_checkpoint)
    with pytest.raises(CheckpointError):
        load_checkpoint(pretrained[0])


def test_interrupted_and_resumed_equals_uninterrupted(
    pretrained: tuple[Path, Result], reviews: Path, tmp_path: Path
) -> None:
    output = tmp_path / "again" / "language"
    files = [reviews / "train.csv", reviews / "lists.jsonl", "--without", reviews / "test.csv"]
    stopped = call("pretrain", *files, "--output", output, *SMALL, stop_after=40)
    assert stopped.exit_code == 130
    assert f"to go on: python -m training pretrain --output {output} --resume" in stopped.output
    assert not output.exists()
    assert call("pretrain", *files, "--output", output, *SMALL).exit_code == 2
    other = call("pretrain", *files, "--output", output, *SMALL, "--set", "loop.epochs=7", "--resume")
    assert (other.exit_code, "loop.epochs (was 6, now 7)" in other.output) == (2, True)
    alone = call("pretrain", "--output", output, "--resume", "--seed", 4)
    assert (alone.exit_code, "leave out --seed 4" in alone.output) == (2, True)
    foreign = call("train", "--output", output, "--resume")
    assert (foreign.exit_code, "not a run of this command" in foreign.output.replace("\n", " ")) == (2, True)

    resumed = call("pretrain", *files, "--output", output, *SMALL, "--resume")
    assert resumed.exit_code == 0, resumed.output
    assert "resumed after" in resumed.output
    expected, actual = load_pretrained(pretrained[0]), load_pretrained(output)
    assert all(torch.equal(actual.weights[name], tensor) for name, tensor in expected.weights.items())
    assert actual.record.perplexity == expected.record.perplexity
    assert actual.record.command == expected.record.command


def test_training_resumes_only_from_the_same_start(
    pretrained: tuple[Path, Result], reviews: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(pretrained[0], tmp_path / "copy"))
    output = tmp_path / "m"
    begin = ["train", "--start", folder, "--train", reviews / "train.csv", "--output", output]
    assert call(*begin, stop_after=1).exit_code == 130
    config = json.loads((folder / "config.json").read_bytes())
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    sign(folder)
    result = call("train", "--output", output, "--resume")
    assert (result.exit_code, "changed since this run began" in result.output.replace("\n", " ")) == (2, True)


def test_wrong_calls_are_told_in_a_sentence(pretrained: tuple[Path, Result], reviews: Path, tmp_path: Path) -> None:
    pretrain = ("pretrain", "--output", tmp_path / "m")
    (tmp_path / "short.jsonl").write_text('{"text": ""}\n{"text": "a"}\n{"text": "b"}', encoding="utf-8")
    for arguments, message in (
        (pretrain, "no file of texts; name at least one"),
        ((*pretrain, tmp_path / "none.csv"), "none.csv: does not exist"),
        ((*pretrain, tmp_path / "short.jsonl"), "too few texts of two tokens or more"),
        ((*pretrain, reviews / "train.csv", "--text-column", "review"), "no column 'review'"),
        ((*pretrain, reviews / "train.csv", "--set", "loop.epoch=1"), "did you mean loop.epochs?"),
        ((*pretrain, reviews / "train.csv", "--set", "architecture.num_layers=2"), "sees the other's states"),
        ((*pretrain, reviews / "train.csv", "--set", "architecture.conv_width=3"), "architecture.conv_width: unknown"),
        ((*pretrain, reviews / "train.csv", "--output", pretrained[0]), "--overwrite replaces it"),
        ((*pretrain, reviews / "train.csv", "--vectors", reviews / "train.csv"), "no file of vectors"),
        ((*pretrain, reviews / "train.csv", "--tokenizer", tmp_path / "none.json"), "none.json: cannot be read"),
        ((*pretrain, reviews / "train.csv", "--tokenizer", reviews / "train.csv"), "is not a tokenizer"),
    ):
        result = call(*arguments)
        assert (result.exit_code, message in result.output) == (2, True), result.output
        assert isinstance(result.exception, SystemExit), "a traceback"
    assert not (tmp_path / "m").exists()


def test_layers_of_one_direction_may_be_stacked(reviews: Path, tmp_path: Path) -> None:
    stacked = ["--set", "architecture.num_layers=2", "--set", "architecture.bidirectional=false"]
    result = call(
        "pretrain", reviews / "train.csv", "--output", tmp_path / "m", *SMALL, *stacked, "--set", "loop.epochs=1"
    )
    assert result.exit_code == 0, result.output
    assert metrics_of(tmp_path / "m")["perplexity"]["backward"] is None
    loaded = load_pretrained(tmp_path / "m")
    network = RecurrentClassifier(loaded.config.architecture.sized(loaded.config.vocab_size), 2)
    loaded.fill(network)
    assert torch.equal(network.encoder.recurrent(1, 0).weight_hh, loaded.weights["layers.1.0.weight_hh"])


def test_vectors_are_imitated_and_the_words_are_learned(imitating: tuple[Path, Result], reviews: Path) -> None:
    output, result = imitating
    assert result.exit_code == 0, result.output
    metrics = metrics_of(output)
    some, everything = metrics["imitated"]
    assert (some["encoder"], everything["encoder"]) == ("some", "all")
    assert everything["texts"] == metrics["texts"]
    assert 30 < some["texts"] <= 50
    assert everything["cosine"] > 0.9 > everything["cosine_before"]
    assert metrics["perplexity"]["after"] < 0.95 * metrics["perplexity"]["before"]
    assert metrics["data"]["vectors 2"]["file"] == "all.parquet"
    assert metrics["config"]["vectors.files"] == ["some.parquet", "all.parquet"]
    assert "--vectors some.parquet --vectors all.parquet" in metrics["command"]
    assert str(reviews) not in (output / "metrics.json").read_text(encoding="utf-8")
    assert "vectors of some: 2 numbers of" in result.output
    assert "validation loss" in result.output
    assert f"cosine to all {everything['cosine']:.3f}" in result.output.replace("\n", " ")


def test_the_maps_to_vectors_stay_and_give_the_measured_cosine(
    imitating: tuple[Path, Result], pretrained: tuple[Path, Result], vectors: list[Path]
) -> None:
    found, without = load_pretrained(imitating[0]), load_pretrained(pretrained[0])
    names = [f"vectors.{place}.{part}" for place in (0, 1) for part in ("weight", "bias")]
    assert sorted(found.weights.keys() - without.weights.keys()) == sorted(names)
    assert [(each.encoder, each.width) for each in found.config.vectors] == [("some", 2), ("all", 3)]
    assert without.config.vectors == ()
    start = load_start(imitating[0])
    shape = found.config.architecture.sized(found.config.vocab_size)
    network = RecurrentClassifier(shape.model_copy(update={"pooling": "max_mean_last"}), 1).eval()
    start.fill(network, [])
    texts, theirs_ND = next(VectorFile.open(vectors[1], text_column="text").read())
    encoded = TextEncoder(found.tokenizer, max_tokens=256).encode([text or "" for text in texts])
    padded = pad([text.ids for text in encoded])
    with torch.inference_mode():
        pooled_NP = network.encoder(network.embed(padded.ids_TB), padded.lengths_B)
        ours_ND = F.linear(pooled_NP, found.weights["vectors.1.weight"], found.weights["vectors.1.bias"])
    wanted_ND = torch.from_numpy(theirs_ND.astype(np.float32))
    assert float(F.cosine_similarity(ours_ND, wanted_ND - wanted_ND.mean(0)).mean()) > 0.85
    assert list(start.data) == ["texts 1", "vectors 1", "vectors 2"]


def test_imitation_interrupted_and_resumed_equals_uninterrupted(
    imitating: tuple[Path, Result], reviews: Path, vectors: list[Path], tmp_path: Path
) -> None:
    output = tmp_path / "encoder"
    assert imitate(reviews, vectors, output, stop_after=23).exit_code == 130
    other = imitate(reviews, vectors[:1], output, "--resume")
    assert (other.exit_code, "vectors.files (was" in other.output.replace("\n", " ")) == (2, True)
    resumed = call("pretrain", "--output", output, "--resume")
    assert resumed.exit_code == 0, resumed.output
    expected, actual = load_pretrained(imitating[0]), load_pretrained(output)
    assert all(torch.equal(actual.weights[name], tensor) for name, tensor in expected.weights.items())
    assert actual.record.imitated == expected.record.imitated


def test_a_run_does_not_go_on_with_other_vectors(reviews: Path, vectors: list[Path], tmp_path: Path) -> None:
    path = Path(shutil.copy(vectors[1], tmp_path / "v.parquet"))
    assert imitate(reviews, [path], tmp_path / "m", stop_after=1).exit_code == 130
    shutil.copy(vectors[0], path)
    result = call("pretrain", "--output", tmp_path / "m", "--resume")
    assert (result.exit_code, "changed since this run began" in result.output.replace("\n", " ")) == (2, True)


def test_vectors_alone_leave_the_words_alone(reviews: Path, vectors: list[Path], tmp_path: Path) -> None:
    result = imitate(reviews, vectors, tmp_path / "m", "--set", "vectors.language=0")
    assert result.exit_code == 0, result.output
    metrics = metrics_of(tmp_path / "m")
    assert metrics["perplexity"]["after"] > 0.99 * metrics["perplexity"]["before"]
    assert metrics["imitated"][1]["cosine"] > 0.9


def test_a_small_folder_holds_nearly_the_same_weights(
    pretrained: tuple[Path, Result], reviews: Path, tmp_path: Path
) -> None:
    files = [reviews / "train.csv", reviews / "lists.jsonl", "--without", reviews / "test.csv"]
    result = call("pretrain", *files, "--output", tmp_path / "m", *SMALL, "--set", "weights=int8")
    assert result.exit_code == 0, result.output
    exact, rounded = load_pretrained(pretrained[0]).weights, load_pretrained(tmp_path / "m").weights
    assert exact.keys() == rounded.keys()
    for name, weight in exact.items():
        assert rounded[name].dtype == torch.float32
        torch.testing.assert_close(rounded[name], weight, atol=0.01, rtol=0.01)
    size, full = ((folder / "model.safetensors").stat().st_size for folder in (tmp_path / "m", pretrained[0]))
    assert size < 0.5 * full


@pytest.mark.parametrize("name", ["", "tokenizer.json"])
def test_a_tokenizer_may_be_given(pretrained: tuple[Path, Result], reviews: Path, tmp_path: Path, name: str) -> None:
    output, given = tmp_path / "m", pretrained[0] / name
    few = [option for option in SMALL if option != "tokenizer.vocab_size=600"]
    call_options = [reviews / "test.csv", "--tokenizer", given, "--output", output, "--set", "loop.epochs=1", *few[1:]]
    result = call("pretrain", *call_options)
    assert result.exit_code == 0, result.output
    assert (output / "tokenizer.json").read_bytes() == (pretrained[0] / "tokenizer.json").read_bytes()
    loaded = load_pretrained(output)
    assert (
        loaded.config.tokenizer.vocab_size
        == loaded.config.vocab_size
        == load_pretrained(pretrained[0]).config.vocab_size
    )
    assert metrics_of(output)["config"]["fixed_tokenizer"] == given.name
    for setting, message in (
        ("tokenizer.lowercase=false", "tokenizer.lowercase=False, but the tokenizer"),
        ("tokenizer.vocab_size=700", "leave the setting out"),
    ):
        refused = call("pretrain", *call_options, "--overwrite", "--set", setting)
        assert (refused.exit_code, message in refused.output.replace("\n", " ")) == (2, True), refused.output


def test_help_and_settings() -> None:
    assert "language models" in call("pretrain", "--help").output
    listed = call("settings", "--pretrain").output
    assert "loop.softmax_samples = 1024" in listed
    assert "dropouts.output = " in listed
    assert "vectors.weight = 10.0" in listed
    assert "loop.layer_decay = 1.0" in call("settings").output


def test_a_card_stands_beside_the_layers(imitating: tuple[Path, Result], pretrained: tuple[Path, Result]) -> None:
    card, metrics = (imitating[0] / "README.md").read_text(encoding="utf-8"), metrics_of(imitating[0])
    assert card.startswith("# encoder\n")
    assert metrics["command"] in card
    everything = metrics["imitated"][1]
    assert f"| {everything['cosine_before']:.3f} | {everything['cosine']:.3f} |" in card
    assert "licence of the data: not recorded" in card.lower()
    assert "vectors" not in (pretrained[0] / "README.md").read_text(encoding="utf-8").split("## Limits")[0]

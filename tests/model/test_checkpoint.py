"""Checkpoints are loaded as they were saved; damage is refused, and the file named."""

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from model.checkpoint import CARD, CONFIG, FILES, METRICS, TOKENIZER, WEIGHTS, load_checkpoint, save_checkpoint
from model.config import Cell
from model.errors import CheckpointDamaged, CheckpointError, CheckpointIncompatible, CheckpointMissing
from model.folder import DIGESTS
from model.network import RecurrentClassifier, to_arrays
from tests.conftest import make_checkpoint


@pytest.fixture
def folder(tiny_checkpoint: Path, tmp_path: Path) -> Path:
    """A copy to damage."""
    return Path(shutil.copytree(tiny_checkpoint, tmp_path / "copy"))


def _sign(folder: Path) -> None:
    """Makes the digests fit the files again, as one who alters a checkpoint on purpose would."""
    lines = [f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}\n" for name in FILES]
    (folder / DIGESTS).write_text("".join(lines))


def _edit_config(folder: Path, **changes: Any) -> None:
    config = json.loads((folder / CONFIG).read_text())
    architecture = config["architecture"]
    for key, value in changes.items():
        (architecture if key in architecture else config)[key] = value
    (folder / CONFIG).write_text(json.dumps(config))
    _sign(folder)


def test_round_trip(tiny_checkpoint: Path) -> None:
    made, loaded = make_checkpoint(), load_checkpoint(tiny_checkpoint)
    assert loaded.config == made.config
    assert loaded.metrics == made.metrics
    assert loaded.card == made.card
    assert loaded.tokenizer.to_str() == made.tokenizer.to_str()
    assert loaded.weights.keys() == made.weights.keys()
    for name, weight in made.weights.items():
        np.testing.assert_array_equal(loaded.weights[name], weight)


@pytest.mark.parametrize("cell", get_args(Cell))
def test_every_architecture_is_read_back(cell: Cell, tmp_path: Path) -> None:
    made = make_checkpoint()
    architecture = made.config.architecture.model_copy(update={"cell": cell, "conv_width": 3, "num_layers": 2})
    network = RecurrentClassifier(architecture, 2).eval()
    config = made.config.model_copy(update={"architecture": architecture})
    save_checkpoint(tmp_path / "model", type(made)(config, to_arrays(network.weights()), made.tokenizer, {}, made.card))
    loaded = load_checkpoint(tmp_path / "model")
    assert loaded.config == config
    ids, lengths = torch.randint(0, 500, (6, 2)), torch.tensor([6, 3])
    assert torch.equal(loaded.build_network()(ids, lengths), network(ids, lengths))


def test_a_checkpoint_from_before_the_variants_loads_the_same(folder: Path) -> None:
    config = json.loads((folder / CONFIG).read_text())
    del config["architecture"]["cell"], config["architecture"]["conv_width"]
    (folder / CONFIG).write_text(json.dumps(config))
    _sign(folder)
    assert load_checkpoint(folder).config == make_checkpoint().config


def test_the_version_is_the_digest_of_the_digests(tiny_checkpoint: Path, tmp_path: Path) -> None:
    version = load_checkpoint(tiny_checkpoint).version
    assert version == hashlib.sha256((tiny_checkpoint / DIGESTS).read_bytes()).hexdigest()[:12]
    assert save_checkpoint(tmp_path / "again", make_checkpoint()) == version
    assert save_checkpoint(tmp_path / "other", make_checkpoint(seed=1)) != version


def test_sha256sum_agrees(tiny_checkpoint: Path) -> None:
    run = subprocess.run(["sha256sum", "-c", DIGESTS], cwd=tiny_checkpoint, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert run.stdout.count("OK") == len(FILES)


def test_float16_weights_are_half_the_size_and_load(tmp_path: Path) -> None:
    made = make_checkpoint()
    half = {name: weight.astype(np.float16) for name, weight in made.weights.items()}
    save_checkpoint(tmp_path / "half", type(made)(made.config, half, made.tokenizer, made.metrics, made.card))
    network = load_checkpoint(tmp_path / "half").build_network()
    assert network.embedding.dtype == torch.float32
    assert torch.equal(network.embedding, torch.tensor(half["embedding"]).float())


@pytest.mark.parametrize("name", [*FILES, DIGESTS])
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(CheckpointMissing, match=name) as caught:
        load_checkpoint(folder)
    assert caught.value.path == folder / name


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointMissing, match="nowhere"):
        load_checkpoint(tmp_path / "nowhere")


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", ["truncated", "emptied", "one bit", "appended"])
def test_damage_to_any_file_is_named(folder: Path, name: str, damage: str) -> None:
    path = folder / name
    content = bytearray(path.read_bytes())
    if damage == "one bit":
        content[len(content) // 2] ^= 1
    changed = {"truncated": content[:-3], "emptied": b"", "one bit": content, "appended": content + b" "}
    path.write_bytes(bytes(changed[damage]))
    with pytest.raises(CheckpointDamaged, match="SHA-256") as caught:
        load_checkpoint(folder)
    assert caught.value.path == path


@pytest.mark.parametrize("name", [CONFIG, WEIGHTS, TOKENIZER, METRICS])
@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe\x00", b"null", b'{"a": 1', b'{"a":' * 50_000])
def test_nonsense_with_fitting_digests_is_refused(folder: Path, name: str, content: bytes) -> None:
    (folder / name).write_bytes(content)
    _sign(folder)
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(folder)
    assert caught.value.path == folder / name


def test_digests_that_leave_a_file_out_are_refused(folder: Path) -> None:
    lines = (folder / DIGESTS).read_text().splitlines(keepends=True)
    (folder / DIGESTS).write_text("".join(lines[1:]))
    with pytest.raises(CheckpointDamaged, match=CONFIG):
        load_checkpoint(folder)


def test_a_newer_format_is_refused_even_with_unknown_keys(folder: Path) -> None:
    _edit_config(folder, format_version=2, something_new=True)
    with pytest.raises(CheckpointIncompatible, match=r"format version 2.*upgrade"):
        load_checkpoint(folder)


@pytest.mark.parametrize(
    ("change", "file", "cause"),
    [
        ({"vocab_size": 7}, TOKENIZER, "vocab_size 7"),
        ({"hidden_size": 7}, WEIGHTS, "shape"),
        ({"labels": ["a", "b", "c"]}, WEIGHTS, "head"),
        ({"num_layers": 2}, WEIGHTS, "lacks layers.1"),
        ({"bidirectional": False}, WEIGHTS, "layers.0.1"),
        ({"pooling": "attention"}, WEIGHTS, "lacks attention"),
        ({"labels": ["a", "a"]}, CONFIG, "labels"),
        ({"temperature": 0}, CONFIG, "temperature"),
        ({"temperature": 1e-50}, CONFIG, "temperature"),
        ({"chinese_temperature": float("inf")}, CONFIG, "temperature"),
        ({"surprise": 1}, CONFIG, "surprise"),
        ({"max_tokens": "many"}, CONFIG, "max_tokens"),
    ],
)
def test_files_that_contradict_each_other_are_refused(
    folder: Path, change: dict[str, Any], file: str, cause: str
) -> None:
    _edit_config(folder, **change)
    with pytest.raises(CheckpointError, match=cause) as caught:
        load_checkpoint(folder)
    assert caught.value.path == folder / file


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        ({"padding": {"strategy": {"Fixed": 8}, "pad_id": 10**7}}, "padding of its own"),
        ({"truncation": {"max_length": 1}}, "truncation of its own"),
        ({"a</w>": 10**7}, "number its tokens 0 to 5"),
        ({"a</w>": 0}, "number its tokens 0 to 5"),
    ],
)
def test_a_tokenizer_whose_ids_have_no_place_is_refused(folder: Path, change: dict[str, Any], cause: str) -> None:
    """The engine looks ids up without a look at how many there are: one too large ended the process."""
    state = json.loads((folder / TOKENIZER).read_text())
    padding = {"direction": "Right", "pad_to_multiple_of": None, "pad_type_id": 0, "pad_token": ""}
    truncation = {"direction": "Right", "strategy": "LongestFirst", "stride": 0}
    for key, value in change.items():
        if key in state:
            state[key] = (padding if key == "padding" else truncation) | value
        else:
            state["model"]["vocab"][key] = value
    (folder / TOKENIZER).write_text(json.dumps(state))
    _sign(folder)
    with pytest.raises(CheckpointIncompatible, match=cause) as caught:
        load_checkpoint(folder)
    assert caught.value.path == folder / TOKENIZER


def test_weights_that_are_not_numbers_are_refused(folder: Path) -> None:
    weights = load_file(folder / WEIGHTS)
    weights["head.bias"][0] = float("nan")
    save_file(weights, folder / WEIGHTS)
    _sign(folder)
    with pytest.raises(CheckpointDamaged, match=r"head\.bias.*finite"):
        load_checkpoint(folder)


def test_saving_replaces_a_checkpoint_whole(tmp_path: Path) -> None:
    target = tmp_path / "model"
    save_checkpoint(target, make_checkpoint())
    (target / "stray").write_text("old")
    version = save_checkpoint(target, make_checkpoint(seed=1))
    assert load_checkpoint(target).version == version
    assert sorted(path.name for path in target.iterdir()) == sorted([*FILES, DIGESTS])
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_saving_leaves_what_is_not_a_checkpoint_alone(tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "diary").write_text("mine")
    with pytest.raises(CheckpointError, match="not a checkpoint"):
        save_checkpoint(tmp_path / "notes", make_checkpoint())
    assert (tmp_path / "notes" / "diary").read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == ["notes"]


def test_a_failed_save_leaves_the_old_checkpoint(tmp_path: Path) -> None:
    version = save_checkpoint(tmp_path / "model", make_checkpoint())
    made = make_checkpoint(seed=1)
    with pytest.raises(ValueError, match="JSON compliant"):
        save_checkpoint(
            tmp_path / "model", type(made)(made.config, made.weights, made.tokenizer, {"x": float("nan")}, CARD)
        )
    assert load_checkpoint(tmp_path / "model").version == version
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_loading_does_not_bring_pytorchs_compiler(tmp_path: Path) -> None:
    """It costs two seconds and 60 MB, and is brought by as little as random numbers on the meta device."""
    save_checkpoint(tmp_path / "made", make_checkpoint())
    script = (
        "import sys; from pathlib import Path; from model.classifier import Classifier; "
        f"Classifier.load(Path({str(tmp_path / 'made')!r}), device='cpu', dtype='auto').predict(['a film']); "
        "sys.exit('torch._dynamo' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save

from model.checkpoint import CONFIG, WEIGHTS, load_checkpoint
from model.errors import CheckpointDamaged, CheckpointIncompatible, CheckpointMissing
from model.folder import read_folder, write_folder
from model.pretrained import FILES, is_pretrained, load_encoder, load_folder, read_encoder_config, unpacked
from training.language_model.folder import load_pretrained

SHIPPED = Path(__file__).parents[2] / "checkpoints" / "encoder"


def changed(folder: Path, path: Path, **contents: bytes) -> Path:
    files = read_folder(folder, FILES)
    write_folder(path, {name: contents.get(name.partition(".")[0], content) for name, content in files.items()})
    return path


def test_tells_a_pretraining_from_a_checkpoint(tiny_encoder: Path, tiny_checkpoint: Path, tmp_path: Path) -> None:
    assert is_pretrained(tiny_encoder)
    assert not is_pretrained(tiny_checkpoint)
    assert not is_pretrained(tmp_path)
    assert load_folder(tiny_encoder) != load_folder(tiny_checkpoint)
    with pytest.raises(CheckpointMissing):
        load_folder(tmp_path)


def test_reads_the_shipped_one_as_training_does() -> None:
    found, theirs = load_encoder(SHIPPED), load_pretrained(SHIPPED)
    for name, weight in found.network.weights.items():
        if not name.startswith("head."):
            np.testing.assert_array_equal(weight, theirs.weights[name].numpy())
    for place, each in enumerate(found.maps):
        assert each.encoder == theirs.config.vectors[place].encoder
        np.testing.assert_array_equal(each.weight_DP, theirs.weights[f"vectors.{place}.weight"].numpy())
    assert found.network.version == theirs.version
    config = read_encoder_config(SHIPPED)
    assert (config.tokenizer.max_tokens, config.as_checkpoint()) == (512, found.network.config)


def test_refuses_what_does_not_fit(tiny_encoder: Path, tiny_checkpoint: Path, tmp_path: Path) -> None:
    config = json.loads((tiny_encoder / CONFIG).read_bytes())
    config["vectors"][1]["width"] = 7
    with pytest.raises(CheckpointIncompatible, match=r"vectors\.1\.\w+ has shape \[4"):
        load_encoder(changed(tiny_encoder, tmp_path / "width", config=json.dumps(config).encode()))
    weights = load_file(tiny_encoder / WEIGHTS)
    weights["vectors.0.bias"][2] = np.nan
    with pytest.raises(CheckpointDamaged, match=r"vectors\.0\.bias has values that are not finite"):
        load_encoder(changed(tiny_encoder, tmp_path / "nan", model=save(weights)))
    with pytest.raises(CheckpointDamaged, match="kind"):
        load_encoder(tiny_checkpoint)
    with pytest.raises(
        CheckpointIncompatible, match=r"from pretrain: it has no labels to give; `python -m training embed` writes its"
    ):
        load_checkpoint(tiny_encoder)
    shutil.copytree(tiny_encoder, tmp_path / "cut")
    (tmp_path / "cut" / WEIGHTS).write_bytes(b"")
    with pytest.raises(CheckpointDamaged):
        load_encoder(tmp_path / "cut")


def test_scales_of_nothing_stay_to_be_refused() -> None:
    scales = np.ones(5, dtype=np.float32)
    assert "embedding.scales" in unpacked({"embedding": np.ones((3, 2), dtype=np.int8), "embedding.scales": scales})
    assert "embedding.scales" in unpacked({"embedding.scales": scales})

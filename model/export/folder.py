"""Folder of a checkpoint in ONNX's form, for ONNX Runtime and the `tokenizers` library, without Sluice.

| file | holds |
| --- | --- |
| `model.onnx` | the network; see `model.export.network` |
| `tokenizer.json` | the tokenizer, as in the checkpoint |
| `config.json` | labels, limits, thresholds |
| `README.md` | how to use them from Python and JavaScript |
| `SHA256SUMS` | a digest of each |
"""

import string
from pathlib import Path
from typing import Any

from model.checkpoint import CARD, CONFIG, TOKENIZER, load_checkpoint
from model.errors import CheckpointError, ConfigError
from model.export.graph import OPSET
from model.export.network import onnx_model
from model.folder import as_json, write_folder
from model.text import CHARS_PER_TOKEN

MODEL = "model.onnx"
MAX_BYTES = 2**31 - 2**20
"""Of all weights: one file of protocol buffers has less than 2 GiB, the operators included."""

TEMPLATE = Path(__file__).with_name("template.md")


def export_onnx(checkpoint_folder: Path, output: Path) -> dict[str, int]:
    """Writes the folder whole or not at all, in place of an older one; returns the size in bytes of each file.

    Raises:
        CheckpointError: the checkpoint cannot be used, or `output` exists and is not such a folder.
        ConfigError: its weights are too large for one file.
    """
    if output.exists() and any(output.iterdir() if output.is_dir() else [output]) and not (output / MODEL).is_file():
        raise CheckpointError(output, f"exists and has no {MODEL}; it is left as it is, so name another folder")
    checkpoint = load_checkpoint(checkpoint_folder)
    config, size = checkpoint.config, sum(weight.nbytes for weight in checkpoint.weights.values())
    if size > MAX_BYTES:
        raise ConfigError(
            f"{checkpoint_folder}: its weights take {size:,} bytes, and a {MODEL} holds at most {MAX_BYTES:,}; train "
            "one with a smaller ngrams.buckets or vocabulary"
        )
    thresholds = config.thresholds or (0.5,) * len(config.labels) if config.task == "multi_label" else None
    description: dict[str, Any] = {
        "checkpoint": checkpoint.version,
        "opset": OPSET,
        "task": config.task,
        "labels": config.labels,
        "max_tokens": config.max_tokens,
        "max_characters": config.max_tokens * CHARS_PER_TOKEN,
        "thresholds": thresholds,
        "precision_thresholds": [each.model_dump(mode="json") for each in config.precision_thresholds],
    }
    readme = string.Template(TEMPLATE.read_text("utf-8")).substitute(
        labels=", ".join(f"`{label}`" for label in config.labels), version=checkpoint.version, opset=OPSET
    )
    contents = {
        MODEL: onnx_model(checkpoint).SerializeToString(),
        TOKENIZER: checkpoint.tokenizer.to_str().encode(),
        CONFIG: as_json(description),
        CARD: readme.encode(),
    }
    write_folder(output, contents)
    return {name: len(content) for name, content in contents.items()}

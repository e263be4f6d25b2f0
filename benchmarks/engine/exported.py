"""Compares what `python -m training export --onnx` writes with PyTorch, on as many texts as wished.

    python -m benchmarks.engine.exported FILE... [--checkpoint checkpoints/sentiment] [--texts 100]

Probabilities are those of ONNX Runtime and of the float32 network, of the same tokens. Tokens are those of
@huggingface/tokenizers in Node, if `make clients` has fetched it, and of the `tokenizers` that trained the model; the
first text of each file where they differ is printed.
"""

import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import click
import numpy as np
import onnxruntime
from rich.console import Console

from benchmarks.lib.packed import Floats, padded
from benchmarks.lib.shipped import SHIPPED
from benchmarks.lib.texts import read_texts
from model.checkpoint import TOKENIZER, load_checkpoint
from model.classifier import Classifier, set_num_threads
from model.export.network import onnx_model
from model.text import Encoded

CLIENTS = Path(__file__).parents[2] / "build" / "clients"
SCRIPT = """
import { readFileSync } from "node:fs";
import { Tokenizer } from "@huggingface/tokenizers";
const { file, texts } = JSON.parse(readFileSync(0, "utf-8"));
const tokenizer = new Tokenizer(JSON.parse(readFileSync(file, "utf-8")), {});
console.log(JSON.stringify(texts.map((text) => tokenizer.encode(text).ids)));
"""


def tokens_of_node(tokenizer: Path, texts: Sequence[str]) -> list[list[int]] | None:
    """Token ids of texts in JavaScript; None without Node or the package."""
    node = shutil.which("node")
    if node is None or not (CLIENTS / "node_modules" / "@huggingface" / "tokenizers").is_dir():
        return None
    found = subprocess.run(
        [node, "--input-type=module", "--eval", SCRIPT],
        cwd=CLIENTS,
        input=json.dumps({"file": str(tokenizer.resolve()), "texts": texts}),
        capture_output=True,
        text=True,
        check=True,
    )
    ids: list[list[int]] = json.loads(found.stdout)
    return ids


def by_onnx(session: onnxruntime.InferenceSession, encoded: Sequence[Encoded]) -> Floats:
    """Probabilities [N, C] in batches of 32, as they come."""
    parts = []
    for start in range(0, len(encoded), 32):
        ids_BT, lengths_B = padded(encoded[start : start + 32])
        parts.append(session.run(["probabilities"], {"ids": ids_BT.numpy(), "lengths": lengths_B.numpy()})[0])
    return np.concatenate(parts)


@click.command(help=__doc__)
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--checkpoint", type=click.Path(path_type=Path), default=SHIPPED, show_default="checkpoints/sentiment")
@click.option("--texts", "num_texts", default=100, show_default=True, help="Of each file, taken evenly.")
def main(files: tuple[Path, ...], checkpoint: Path, num_texts: int) -> None:
    """Prints a line for each file and one for all."""
    set_num_threads(1)
    console = Console(width=160, highlight=False)
    loaded = load_checkpoint(checkpoint)
    session = onnxruntime.InferenceSession(onnx_model(loaded).SerializeToString())
    classifier = Classifier(loaded, device="cpu", dtype="float32")
    total, most, differ = 0, 0.0, 0
    for file in files:
        texts = read_texts(file, count=num_texts)
        encoded = classifier.encode(texts)
        apart = float(np.abs(by_onnx(session, encoded) - classifier.predict(texts)).max())
        total, most = total + len(texts), max(most, apart)
        said = f"{file.parent.name}/{file.name}: {len(texts)} texts, probabilities differ by at most {apart:.1e}"
        theirs = tokens_of_node(checkpoint / TOKENIZER, texts)
        if theirs is not None:
            ours = [found.ids for found in loaded.tokenizer.encode_batch(texts)]
            other = [text for text, a, b in zip(texts, ours, theirs, strict=True) if a != b]
            differ += len(other)
            said += f", tokens of {len(other)} differ in JavaScript" + (f": {other[0][:200]!r}" if other else "")
        console.print(said, markup=False)
    console.print(f"all: {total} texts, probabilities by at most {most:.1e}, tokens of {differ}")


if __name__ == "__main__":
    main()

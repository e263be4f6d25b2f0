"""Compares the engine's speed on one core with other ways to run the same weights.

    python -m benchmarks.engine.speed FILE... [--checkpoint checkpoints/sentiment] [--minilm FOLDER] [--texts 1000]

Texts in, probabilities out, tokenising included, from labelled FILEs such as sst2/test.parquet. The contenders take
turns on the same texts, sorted by length in batches where they pad, so that a machine whose speed drifts slows all;
each ratio is taken round by round, of CPU time. All but MiniLM share the tokenising, whose part of Sluice's time is
printed as well.

packed      `torch.nn.LSTM` over packed sequences in float32: what most people serve.
pytorch     Sluice's own network in float32, used where there is no engine.
onnx        ONNX Runtime in float32, on what `python -m training export --onnx` writes.
onnx int8   the same with its dynamic quantisation.
minilm      another model, for scale: a MiniLM-L6 sequence classifier in `transformers`, float32.
against     another checkpoint, by `--against FOLDER`; what a change of the model costs.

Each must give the labels that Sluice's float32 network gives, but the last two, which are other models.
"""

import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from rich.console import Console

from benchmarks.lib.packed import Answer, Floats, Packed, in_batches, of_module, padded
from benchmarks.lib.shipped import SHIPPED
from model.checkpoint import load_checkpoint
from model.classifier import Classifier, set_num_threads
from model.text import Encoded
from training.data.dataset import read_dataset
from training.provenance import describe_machine

TOKENISING = "tokenising"
"""Not a contender: the part of `sluice` that makes tokens of texts."""


def of_onnx(path: Path) -> Callable[[list[Encoded]], Floats]:
    """A batch through ONNX Runtime on one thread."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def compute(batch: list[Encoded]) -> Floats:
        ids_BT, lengths_B = padded(batch)
        logits_BC: Floats = session.run(["logits"], {"ids": ids_BT.numpy(), "lengths": lengths_B.numpy()})[0]
        return logits_BC

    return compute


def of_minilm(folder: Path, max_tokens: int) -> Answer:
    """A Hugging Face sequence classifier, sorted and batched alike, in bfloat16 where the processor has it."""
    from training.teachers.hugging_face import load_hugging_face, predict, token_ids

    model, tokenizer = load_hugging_face(folder, "AutoModelForSequenceClassification")
    model.eval()

    def forward(ids_BT: torch.Tensor, mask_BT: torch.Tensor) -> torch.Tensor:
        logits_BK: torch.Tensor = model(input_ids=ids_BT, attention_mask=mask_BT).logits
        return logits_BK

    def answer(texts: Sequence[str]) -> Floats:
        ids = token_ids(tokenizer, texts, max_tokens=max_tokens)
        return predict(forward, ids, pad_id=tokenizer.pad_token_id, device=torch.device("cpu"))

    return answer


def contenders(
    checkpoint: Path, scratch: Path, minilm: Path | None, minilm_tokens: int, against: Path | None, console: Console
) -> dict[str, Answer]:
    """Each way to answer, by name; `sluice` is the one that the ratios are of."""
    fast, exact = (Classifier.load(checkpoint, device="cpu", dtype=dtype) for dtype in ("auto", "float32"))
    loaded = load_checkpoint(checkpoint)
    network = loaded.build_network().requires_grad_(False).eval()
    console.print(f"sluice computes in {fast.dtype}")
    found: dict[str, Answer] = {
        "sluice": fast.predict,
        TOKENISING: lambda texts: np.zeros(len(fast.encode(texts)), dtype=np.float32),
        "pytorch": in_batches(exact, exact.raw_logits),
        "packed": in_batches(exact, of_module(Packed(network).eval())),
    }
    try:
        import onnx
        from onnxruntime.quantization import QuantType, quantize_dynamic

        from model.export.network import onnx_model

        # In float32, since its quantisation does not look for weights behind a cast.
        weights = {name: weight.astype(np.float32) for name, weight in loaded.weights.items()}
        onnx.save(onnx_model(replace(loaded, weights=weights)), scratch / "float32.onnx")
        found["onnx"] = in_batches(exact, of_onnx(scratch / "float32.onnx"))
        quantize_dynamic(
            scratch / "float32.onnx",
            scratch / "int8.onnx",
            weight_type=QuantType.QInt8,
            op_types_to_quantize=["Conv", "Gather", "Gemm", "LSTM", "MatMul"],  # not the transposed ids
        )
        found["onnx int8"] = in_batches(exact, of_onnx(scratch / "int8.onnx"))
    except ModuleNotFoundError as error:
        console.print(f"onnx: left out, {error}")
    if minilm is not None:
        found["minilm"] = of_minilm(minilm, minilm_tokens)
    if against is not None:
        other = Classifier.load(against, device="cpu", dtype="auto")
        found["against"] = in_batches(other, other.raw_logits)
    return found


def measure(found: dict[str, Answer], texts: Sequence[str], rounds: int, console: Console) -> None:
    """Prints rate and ratio of each contender."""
    reference = found["pytorch"](texts).argmax(1)
    answers = {name: answer(texts) for name, answer in found.items() if name != TOKENISING}
    agreement = {name: float((answer.argmax(1) == reference).mean()) for name, answer in answers.items()}
    seconds: dict[str, list[float]] = {name: [] for name in found}
    for _ in range(rounds):
        for name, answer in found.items():
            began = time.process_time()
            answer(texts)
            seconds[name].append(time.process_time() - began)
    shares = [part / whole for part, whole in zip(seconds.pop(TOKENISING), seconds["sluice"], strict=True)]
    console.print(f"  tokenising is {statistics.median(shares):.1%} of sluice ({min(shares):.1%} to {max(shares):.1%})")
    for name, spent in seconds.items():
        ratios = [theirs / ours for theirs, ours in zip(spent, seconds["sluice"], strict=True)]
        console.print(
            f"  {name:<10} {len(texts) / statistics.median(spent):>9,.0f} texts/s of CPU time; sluice is "
            f"{statistics.median(ratios):6.2f} times as fast ({min(ratios):.2f} to {max(ratios):.2f}); "
            f"labels agree {agreement[name]:.2%}",
            highlight=False,
        )


@click.command(help=__doc__)
@click.argument("files", type=click.Path(path_type=Path), nargs=-1)
@click.option("--checkpoint", type=click.Path(path_type=Path), default=SHIPPED)
@click.option("--minilm", type=click.Path(path_type=Path), help="A folder that transformers loads.")
@click.option("--minilm-tokens", default=256, show_default=True)
@click.option("--against", type=click.Path(path_type=Path), help="Another checkpoint.")
@click.option("--texts", "num_texts", default=1000, show_default=True, help="Of each file, taken evenly.")
@click.option("--rounds", default=5, show_default=True)
@click.pass_context
def main(
    context: click.Context,
    files: tuple[Path, ...],
    checkpoint: Path,
    minilm: Path | None,
    minilm_tokens: int,
    against: Path | None,
    num_texts: int,
    rounds: int,
) -> None:
    """Prints a table for each file."""
    if not files:
        click.echo(context.get_help())
        return
    set_num_threads(1)
    console = Console(width=200)
    console.print(f"{describe_machine()}, one thread, PyTorch {torch.__version__}", highlight=False)
    with tempfile.TemporaryDirectory() as folder:
        found = contenders(checkpoint, Path(folder), minilm, minilm_tokens, against, console)
        for file in files:
            texts: list[Any] = read_dataset(file, text_column="text", label_column="label").texts
            texts = texts[:: max(1, len(texts) // num_texts)][:num_texts]
            console.print(f"{file}: {len(texts):,} texts", highlight=False)
            measure(found, texts, rounds, console)


if __name__ == "__main__":
    main()

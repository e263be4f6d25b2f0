"""Compares the answers with those of the network on the CPU in float32."""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import torch

from benchmarks.gpu import ways
from benchmarks.gpu.report import Report, Value
from benchmarks.gpu.texts import TextSet, odd_rows
from benchmarks.gpu.ways import Answer, Device, Floats
from model.batch import plan_batches
from model.checkpoint import Checkpoint
from model.classifier import Classifier
from model.config import Architecture
from model.engine.cuda import TILES, CudaEngine, Tile
from model.network import RecurrentClassifier
from model.padding import pad

LIMITS = {torch.float32: 1e-5, torch.float16: 2e-3, torch.bfloat16: 1e-2}
"""Largest relative error of logits, by the Euclidean norm."""

WIDEST = 128
"""Units of the networks that go through every tile."""

SHAPES: tuple[tuple[Architecture, torch.dtype], ...] = tuple(
    (Architecture(vocab_size=3000, embedding_dim=40, **shape), dtype)
    for shape, dtype in (
        ({"hidden_size": 64}, torch.float32),
        ({"hidden_size": 20, "pooling": "last"}, torch.float32),
        ({"hidden_size": WIDEST, "ngram_buckets": 5000, "ngram_order": 3}, torch.float16),
        ({"hidden_size": WIDEST, "ngram_buckets": 5000, "ngram_order": 3}, torch.bfloat16),
        ({"hidden_size": 112, "bidirectional": False, "pooling": "mean"}, torch.bfloat16),
    )
)


def fresh_network(shape: Architecture, num_labels: int) -> RecurrentClassifier:
    """Random weights of another seed each time; the recurrent ones of spectral radius about 1, or errors would grow."""
    network = RecurrentClassifier(shape, num_labels)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(torch.randn_like(parameter) * 0.3)
        for direction in range(shape.num_directions):
            network.encoder.lstm(0, direction).weight_hh.div_(0.3 * shape.hidden_size**0.5)
    return network.eval()


def on_cpu(network: RecurrentClassifier, rows: list[np.ndarray]) -> Floats:
    """Logits by the network on the CPU in float32."""
    result = np.empty((len(rows), len(network.head.bias)), dtype=np.float32)
    lengths = np.fromiter(map(len, rows), dtype=np.int64, count=len(rows))
    with torch.inference_mode():
        for batch in plan_batches(lengths, max_tokens=16_384, max_rows=512):
            padded = pad([rows[i] for i in batch])
            result[batch] = network(padded.ids_TB, padded.lengths_B).numpy()
    return result


def error(ours: Floats, reference: Floats) -> float:
    """‖ours - reference‖ / ‖reference‖."""
    return float(np.linalg.norm(ours - reference) / np.linalg.norm(reference))


def of_tile(engine: CudaEngine, tile: Tile, rows: list[np.ndarray]) -> Floats:
    """Logits with one tile, into memory that held NaN."""
    torch.use_deterministic_algorithms(True, warn_only=True)  # new memory is filled with NaN
    try:
        with torch.inference_mode():
            return engine.compute(engine.stage(rows), len(rows), tile).cpu().numpy()
    finally:
        torch.use_deterministic_algorithms(False)


def kernels_are_right(report: Report, device: Device, tiles: Sequence[Tile] = TILES) -> None:
    """Fresh weights and odd rows, through every tile and through cuDNN."""
    torch.backends.cudnn.allow_tf32 = False
    for shape, dtype in SHAPES:
        if not device.is_gpu and dtype == torch.bfloat16:
            continue
        network = fresh_network(shape, 3)
        rows = odd_rows(shape.vocab_size, *((70, 200) if device.is_gpu else (12, 24)))
        reference = on_cpu(network, rows)
        engine = CudaEngine(network, device.where, dtype)
        found: dict[str, Callable[[], Floats]] = {
            "alone": lambda e=engine, r=rows: np.concatenate([e.logits([row]) for row in r]),  # type: ignore[misc]
            "cuDNN padded": partial(ways.padded(network, device, dtype), rows),
        }
        every = dtype == device.half and shape.hidden_size == WIDEST
        for tile in tiles if every else TILES[: len(tiles)]:
            found[str(tile)] = partial(of_tile, engine, tile, rows)
        for way, answer in found.items():
            row: dict[str, Value] = {"shape": _name(shape), "dtype": str(dtype), "way": way}
            try:
                wrong = error(answer(), reference)
                report.add(**row, error=wrong, right=wrong <= LIMITS[dtype])
            except Exception as cause:  # a tile that does not compile must not hide the others
                report.add(**row, error=f"{type(cause).__name__}: {cause}"[:300], right=False)


def _name(shape: Architecture) -> str:
    order = shape.ngram_order if shape.ngram_buckets else 0
    return f"H {shape.hidden_size}, {shape.pooling}, {shape.num_directions} directions, n-grams to {order}"


def labels_stay(report: Report, device: Device, checkpoint: Checkpoint, sets: list[TextSet], most: int) -> None:
    """The shipped checkpoint on test texts: labels changed, and by how much a probability moved."""
    torch.backends.cudnn.allow_tf32 = False
    network = checkpoint.build_network().requires_grad_(False)
    exact = Classifier(checkpoint, device="cpu", dtype="float32")
    found: dict[str, Answer] = {
        "kernel 16 bit": ways.kernel(network, device, device.half),
        "kernel float16": ways.kernel(network, device, torch.float16),
        "cuDNN 16 bit": ways.padded(network, device, device.half if device.is_gpu else torch.float32),
        "cuDNN float32": ways.padded(network, device, torch.float32),
    }
    for texts in sets:
        rows = texts.rows[:most]
        reference = exact.probabilities(exact.calibrate(on_cpu(network, rows), rows))
        for name, answer in found.items():
            ours = exact.probabilities(exact.calibrate(answer(rows), rows))
            moved = np.abs(ours - reference)
            changed = int((ours.argmax(1) != reference.argmax(1)).sum())
            report.add(
                set=texts.name, texts=len(rows), way=name, changed=changed, share=changed / len(rows),
                moved_most=float(moved.max()), moved_mean=float(moved.mean()),
            )  # fmt: skip

"""Measures speed: the card's ceilings, the kernels' tiles, and the kernels against cuDNN."""

import copy
from collections.abc import Callable, Iterator

import torch

from benchmarks.gpu import ways
from benchmarks.gpu.report import Report
from benchmarks.gpu.texts import TextSet, num_tokens
from benchmarks.gpu.ways import Answer, Device
from model.batch import Ids
from model.engine.cuda import GATES, TILES, CudaEngine, Tile
from model.network import RecurrentClassifier

SWEEP = (*TILES, Tile(16, 4, 3), Tile(32, 8, 3), Tile(64, 16, 2))
"""Tiles in use, two that came near them, and one that was never tried."""

PACKED_ROWS = (64, 1024, 16_384)


def ceilings(report: Report, device: Device) -> None:
    """Memory bandwidth by a large copy, and the matrix units' rate by a large product, on random data."""
    size = 8192 if device.is_gpu else 256
    a, b = (torch.randn(size, size, device=device.where, dtype=torch.bfloat16) for _ in range(2))
    source = torch.randn(size * size * 4, device=device.where)
    target = torch.empty_like(source)
    flops = 2 * size**3 / device.time(lambda: a @ b)
    copied = 2 * source.nbytes / device.time(lambda: target.copy_(source))
    report.facts |= {"matrix product bf16, TFLOP/s": flops / 1e12, "copy, TB/s": copied / 1e12}
    report.add(tflops=flops / 1e12, terabytes=copied / 1e12)


def sweep(report: Report, device: Device, network: RecurrentClassifier, texts: TextSet) -> None:
    """Device time of each tile at each number of texts, without n-grams; and of the n-grams alone."""
    alone = copy.deepcopy(network)
    alone.ngrams = None
    engine, whole = (CudaEngine(each, device.where, device.half) for each in (alone, network))
    tiles = SWEEP if device.is_gpu else TILES[:1]
    for count in (c for c in device.counts if c > 1):
        rows = texts.take(count)
        found: dict[Tile, float] = {}
        for tile in tiles:
            try:
                found[tile] = device_seconds(engine, rows, device, tile)
            except Exception as error:
                report.add(texts=count, tile=_name(tile), error=f"{type(error).__name__}: {error}"[:200])
        best = sorted(found.items(), key=lambda item: item[1])
        for tile, seconds in best:
            report.add(texts=count, tile=_name(tile), us=seconds * 1e6, per_second=count / seconds)
        chosen = engine.tile(count)
        if chosen in found:
            report.add(texts=count, tile=f"chosen: {_name(chosen)}", us=found[chosen] * 1e6, best_us=best[0][1] * 1e6)
    rows = texts.take(device.counts[-1])
    seconds = device_seconds(whole, rows, device) - device_seconds(engine, rows, device)
    report.add(texts=len(rows), tile="n-grams", us=seconds * 1e6)


def device_seconds(engine: CudaEngine, rows: list[Ids], device: Device, tile: Tile | None = None) -> float:
    """Seconds of the kernels, ids on the device already."""
    with torch.inference_mode():
        staged = engine.stage(rows)
        return device.time(lambda: engine.compute(staged, len(rows), tile), seconds=device.seconds / 4)


def table(report: Report, device: Device, network: RecurrentClassifier, sets: list[TextSet], seconds: float) -> None:
    """Texts a second, token ids on the host to logits on the host, every way at every number of texts.

    At the largest number also of the network alone, without n-grams.
    """
    torch.backends.cudnn.allow_tf32 = True  # PyTorch's default, to cuDNN's advantage
    alone = copy.deepcopy(network)
    alone.ngrams = None
    most = device.counts[-1]
    for texts in sets:
        counts = device.counts if texts is sets[0] else (device.counts[0], most)
        for count, each in (*((count, network) for count in counts), (most, alone)):
            if report.running() > seconds:
                report.add(set=texts.name, texts=count, way="left out: no time left")
                continue
            compare(report, device, each, texts, count)


def compare(report: Report, device: Device, network: RecurrentClassifier, texts: TextSet, count: int) -> None:
    """Every way, on the first `count` texts."""
    rows, found = texts.take(count), dict[str, float]()
    for name, make in contenders(network, device, count):
        try:
            answer = make()
            found[name] = device.time(lambda answer=answer: answer(rows))  # type: ignore[misc]
        except Exception as error:
            report.add(set=texts.name, texts=count, way=name, error=f"{type(error).__name__}: {error}"[:200])
    ours = found.get("kernel 16 bit")
    for name, seconds in found.items():
        report.add(
            set=texts.name, texts=count, ngrams=network.ngrams is not None, way=name, ms=seconds * 1e3,
            per_second=count / seconds, kernel_is_times=seconds / ours if ours else None,
        )  # fmt: skip


def contenders(network: RecurrentClassifier, device: Device, count: int) -> Iterator[tuple[str, Callable[[], Answer]]]:
    """Each way to answer, made when its turn comes."""
    formats = {"16 bit": device.half if device.is_gpu else torch.float32, "float32": torch.float32}
    yield "kernel 16 bit", lambda: ways.kernel(network, device, device.half)
    for name, dtype in formats.items():
        for rows in PACKED_ROWS:
            if rows <= max(64, count):
                yield f"packed {name} x{rows}", lambda d=dtype, r=rows: ways.packed(network, device, d, r)  # type: ignore[misc]
        yield f"padded {name} x64", lambda d=dtype: ways.padded(network, device, d)  # type: ignore[misc]


def shares(report: Report, device: Device, network: RecurrentClassifier, sets: list[TextSet]) -> None:
    """Shares of the ceilings, by device time on the largest number of texts; and the kernels' memory."""
    shape, count = network.architecture, device.counts[-1]
    alone = copy.deepcopy(network)
    alone.ngrams = None
    before = 0
    if device.is_gpu:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device.where)
        before = torch.cuda.memory_allocated(device.where)
    for texts in sets:
        rows = texts.take(count)
        tokens = num_tokens(rows)
        for name, each in (("network", alone), ("with n-grams", network)):
            engine = CudaEngine(each, device.where, device.half)
            seconds = device_seconds(engine, rows, device)
            gates = tokens * shape.num_directions * GATES * shape.hidden_size
            moved, flops = gates * 2 / seconds, 2 * gates * shape.hidden_size / seconds
            ceiling = [float(report.facts.get(fact) or 1) for fact in ("copy, TB/s", "matrix product bf16, TFLOP/s")]
            report.add(
                set=texts.name, texts=count, tokens=tokens, what=name, ms=seconds * 1e3, per_second=count / seconds,
                ns_a_token=seconds / tokens * 1e9, of_copy_bandwidth=moved / 1e12 / ceiling[0],
                of_matrix_rate=flops / 1e12 / ceiling[1],
            )  # fmt: skip
    if device.is_gpu:
        peak = torch.cuda.max_memory_allocated(device.where) - before
        report.add(what="device memory at most, MB", ms=None, texts=count, megabytes=peak / 1e6)


def _name(tile: Tile) -> str:
    return f"{tile.rows} rows {tile.warps} warps {tile.stages} stages"

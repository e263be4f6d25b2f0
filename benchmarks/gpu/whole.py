"""From texts to probabilities: tokenising on all cores and the kernels; and the server under load."""

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from multiprocessing.pool import Pool
from pathlib import Path

import numpy as np
import torch

from benchmarks.gpu.report import Report
from benchmarks.gpu.texts import TextSet
from benchmarks.gpu.ways import Device
from benchmarks.lib.server import running_server
from model.batch import Ids
from model.checkpoint import Checkpoint
from model.engine.cuda import CudaEngine
from model.text import TextEncoder

CHUNK = 512
"""Texts that a process tokenises at a time."""

CLIENTS = 4
"""Processes that ask the server."""

_encoders: list[TextEncoder] = []


def tokeniser_pool(checkpoint: Checkpoint) -> Pool:
    """A process for each core. To be made before CUDA is touched: they are forked."""
    import multiprocessing

    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    _encoders.append(TextEncoder(checkpoint.tokenizer, max_tokens=checkpoint.config.max_tokens))
    return multiprocessing.get_context("fork").Pool(len(os.sched_getaffinity(0)))


def tokenise(texts: Sequence[str]) -> tuple[bytes, list[int]]:
    """Ids one after another, and how many each text has; by a process of the pool."""
    encoded = _encoders[0].encode(texts)
    return np.concatenate([text.ids for text in encoded]).tobytes(), [text.num_tokens for text in encoded]


def rows_of(part: tuple[bytes, list[int]]) -> list[Ids]:
    """Views of the ids of each text."""
    ids, lengths = np.frombuffer(part[0], dtype=np.int32), part[1]
    return np.split(ids, np.cumsum(lengths)[:-1])


def end_to_end(report: Report, device: Device, checkpoint: Checkpoint, sets: list[TextSet], pool: Pool) -> None:
    """Texts in, logits out: the pool tokenises while the kernels compute what it has finished."""
    engine = CudaEngine(checkpoint.build_network().requires_grad_(False), device.where, device.half)
    count = device.counts[-1] * (8 if device.is_gpu else 1)
    for texts in sets:
        given = texts.take_texts(count)
        parts = [given[at : at + CHUNK] for at in range(0, count, CHUNK)]
        list(pool.imap(tokenise, parts[: 2 * len(os.sched_getaffinity(0))]))
        engine.logits(texts.take(min(count, CHUNK)))
        began = time.perf_counter()
        tokens = list(pool.imap(tokenise, parts))
        alone = time.perf_counter() - began
        began, busy = time.perf_counter(), 0.0
        for part in pool.imap(tokenise, parts):
            at = time.perf_counter()
            engine.logits(rows_of(part))
            busy += time.perf_counter() - at
        whole = time.perf_counter() - began
        report.add(
            set=texts.name, texts=count, per_second=count / whole, tokenising_alone=count / alone,
            gpu_side_busy=busy / whole, cores=len(os.sched_getaffinity(0)), tokens=sum(sum(n) for _, n in tokens),
        )  # fmt: skip


def http(report: Report, device: Device, checkpoint: Path, data: Path, seconds: float) -> None:
    """A server under requests of 64 texts and of one: texts a second, and how busy the GPU is meanwhile."""
    workers = max(1, len(os.sched_getaffinity(0)) // 2)
    options = (
        *(f"--device={device.where.type}", f"--workers={workers}", "--no-explain", f"--model=sentiment={checkpoint}"),
        "--max-queue-texts=65536",
    )
    with running_server(*options) as server:
        for size, connections in ((64, 16), (1, 64)):
            load = [str(value) for value in (server.port, data, size, connections, seconds)]
            command = [sys.executable, "-m", "benchmarks.gpu.client", *load]
            clients = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(CLIENTS)]
            use = _busy(device, clients)
            answers = [[float(number) for number in client.communicate()[0].split()] for client in clients]
            rates, middles, highs, bad = zip(*answers, strict=True)
            report.add(
                workers=workers, texts_a_request=size, requests_per_second=sum(rates),
                texts_per_second=sum(rates) * size, p50_ms=max(middles), p99_ms=max(highs), not_200=sum(bad),
                gpu_busy=use,
            )  # fmt: skip


def _busy(device: Device, clients: list["subprocess.Popen[str]"]) -> float | None:
    """Mean share of the time in which the GPU computed, while the clients run."""
    seen: list[float] = []
    while any(client.poll() is None for client in clients):
        time.sleep(0.2)
        if device.is_gpu:
            try:
                seen.append(torch.cuda.utilization(device.where) / 100)
            except Exception:  # no management library, or one that is not let in: the clients' figures still count
                device = replace(device, where=torch.device("cpu"))
    middle = seen[len(seen) // 3 : -2]
    return sum(middle) / len(middle) if middle else None

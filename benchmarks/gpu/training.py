"""Sluice's trainer against the plain loop, both on the device: tokens a second, then accuracy after equal passes."""

import time
from pathlib import Path

from benchmarks.gpu.report import Report
from benchmarks.gpu.ways import Device
from benchmarks.training.speed import PLAIN_ROWS, Job, OurLoop, run_plain
from training.config.config import build_config, read_recipe
from training.config.layers import below
from training.data.corpus import read_corpus
from training.data.tokenizer import train_tokenizer
from training.runs.classifier import encode_examples

Scale = float | None
"""Size of a batch as a multiple of the recipe's; None is what the device gets by itself."""

SCALES: tuple[Scale, ...] = (1.0, None, 8.0)
ROUNDS, SECONDS = 2, 1.5

PASSES: tuple[tuple[Scale, int], ...] = ((None, 1), (None, 2), (8.0, 2), (None, 5), (1.0, 2))
"""Trainings whose accuracy is read, beside one pass of the plain loop, which takes 17 seconds on an H200."""


def training(report: Report, device: Device, data: Path, seconds: float) -> None:
    """Rates in turns by size of a batch, then accuracies; no training begins after `seconds`."""
    config = build_config(below(read_recipe("sst2"), data))
    corpus = read_corpus(config.data, seed=0, data_root=data)
    job = Job(config, corpus, train_tokenizer(config.tokenizer, corpus.train.texts), device.where)
    rates(report, job)
    accuracies(report, job, device, seconds)


def rates(report: Report, job: Job) -> None:
    """Tokens a second of the plain loop and of Sluice with each size of a batch, all in turns."""
    plain = job.plain()
    ours = {scale: OurLoop(job.trainer(epochs=1000, validations_per_epoch=1, batch_scale=scale)) for scale in SCALES}
    run_plain(plain, SECONDS / 2)
    for loop in ours.values():
        loop.run(SECONDS / 2)
    for _ in range(ROUNDS):
        slow = run_plain(plain, SECONDS)
        for scale, loop in ours.items():
            fast = loop.run(SECONDS)
            report.add(
                asked=_asked(scale), batch_scale=loop.trainer.batch_scale,
                plain_tokens_per_second=slow, ours_tokens_per_second=fast, ratio=fast / slow,
            )  # fmt: skip


def accuracies(report: Report, job: Job, device: Device, seconds: float) -> None:
    """Seconds and accuracy on what is held out: one pass of the plain loop, then Sluice's trainings."""
    held_out = {role: encode_examples(texts, job.corpus, job.encoder) for role, texts in job.corpus.held_out.items()}
    plain, began = job.plain(), time.perf_counter()
    for _ in range(-(-len(plain.train.ids) // PLAIN_ROWS)):
        plain.step()
    device.wait()
    spent = time.perf_counter() - began
    report.add(
        asked="plain loop", epochs=1, seconds=spent, **{role: plain.accuracy(of) for role, of in held_out.items()}
    )
    for scale, epochs in PASSES:
        if report.running() > seconds:
            return
        trainer = job.trainer(epochs=epochs, validations_per_epoch=1, batch_scale=scale)
        trainer.run()
        right = {role: trainer.logits(of).argmax(1) == of.targets for role, of in held_out.items()}
        report.add(
            asked=_asked(scale), batch_scale=trainer.batch_scale, epochs=epochs, seconds=trainer.seconds,
            **{role: float(found.mean()) for role, found in right.items()},
        )  # fmt: skip


def _asked(scale: Scale) -> str:
    return "automatic" if scale is None else f"{scale:g}"

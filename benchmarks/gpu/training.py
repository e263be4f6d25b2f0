"""Sluice's trainer against the plain loop, both on the device."""

from pathlib import Path

from benchmarks.gpu.report import Report
from benchmarks.gpu.ways import Device
from benchmarks.training.speed import Job, OurLoop, run_plain
from training.config.config import build_config, read_recipe
from training.config.request import below
from training.data.corpus import read_corpus
from training.data.tokenizer import train_tokenizer

ROUNDS = 2


def training(report: Report, device: Device, data: Path) -> None:
    """Tokens a second of both in turns, and the best validation accuracy of one pass each."""
    config = build_config(below(read_recipe("sst2"), data))
    corpus = read_corpus(config.data, seed=0, data_root=data)
    job = Job(config, corpus, train_tokenizer(config.tokenizer, corpus.train.texts), device.where)
    plain, ours = job.plain(), OurLoop(job.trainer(epochs=1000, validations_per_epoch=1))
    run_plain(plain, 1.0)
    ours.run(1.0)
    for _ in range(ROUNDS):
        slow, fast = run_plain(plain, 3.0), ours.run(3.0)
        report.add(plain_tokens_per_second=slow, ours_tokens_per_second=fast, ratio=fast / slow)

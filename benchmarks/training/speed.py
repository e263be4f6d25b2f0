"""Compares Sluice's training speed with the usual PyTorch loop, at equal accuracy.

    python -m benchmarks.training.speed [--recipe sst2] [--rounds 5] [--seconds 10] [--accuracy-epochs 0]

The plain loop: `nn.Embedding` with a dense gradient, `nn.LSTM(bidirectional=True)` over packed sequences in float32,
shuffled batches of 64 rows, `torch.optim.Adam` over everything. Same tokenizer, same sizes, same pooling. The two
take turns,
each for `--seconds`, so that a machine whose speed drifts slows both; the ratio is taken round by round.

With `--accuracy-epochs N` both are then trained for N passes over the data and their validation accuracies printed.
"""

import os
import statistics
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import click
import numpy as np
import torch
import torch.nn.functional as F
from rich.console import Console
from tokenizers import Tokenizer
from torch import Tensor, nn

from model.config import Architecture
from model.text import TextEncoder
from training.config.config import TrainConfig, build_config, read_recipe
from training.config.layers import below
from training.data.corpus import Corpus, read_corpus
from training.data.tokenizer import train_tokenizer
from training.fit.trainer import Examples, Trainer
from training.runs.classifier import encode_examples, new_encoder, new_network, new_trainer
from training.runs.train import choose_objective

PLAIN_ROWS = 64
PLAIN_RATE = 1e-3
NOTHING = torch.zeros(1, dtype=torch.long)


class PlainClassifier(nn.Module):
    """The classifier of a tutorial: packed sequences, PyTorch's own layers, max + mean + last pooling."""

    def __init__(self, shape: Architecture, num_labels: int, dropout: float) -> None:
        super().__init__()
        self.embedding = nn.Embedding(shape.vocab_size, shape.embedding_dim)
        self.lstm = nn.LSTM(
            shape.embedding_dim, shape.hidden_size, shape.num_layers, batch_first=True, bidirectional=True
        )
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(6 * shape.hidden_size, num_labels)

    def forward(self, ids_BT: Tensor, lengths_B: Tensor) -> Tensor:
        """Computes logits [B, C]."""
        embedded = self.dropout(self.embedding(ids_BT))
        packed = nn.utils.rnn.pack_padded_sequence(embedded, lengths_B, batch_first=True, enforce_sorted=False)
        states, (last, _) = self.lstm(packed)
        states_BTS, _ = nn.utils.rnn.pad_packed_sequence(states, batch_first=True)
        lengths_B = lengths_B.to(ids_BT.device)  # packing wants them on the CPU
        inside_BT1 = (torch.arange(states_BTS.shape[1], device=ids_BT.device) < lengths_B.unsqueeze(1)).unsqueeze(2)
        largest = states_BTS.masked_fill(~inside_BT1, float("-inf")).amax(1)
        mean = states_BTS.sum(1) / lengths_B.unsqueeze(1)
        logits: Tensor = self.head(self.dropout(torch.cat([largest, mean, last[-2], last[-1]], dim=1)))
        return logits


class PlainLoop:
    """Shuffled batches of 64 through `PlainClassifier` and dense Adam."""

    def __init__(
        self, shape: Architecture, train: Examples, num_labels: int, *, dropout: float, device: torch.device
    ) -> None:
        torch.manual_seed(0)
        self._device = device
        self.model = PlainClassifier(shape, num_labels, dropout).to(device)
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=PLAIN_RATE)
        self.train = train
        self._rng = np.random.default_rng(0)
        self._order: list[int] = []

    def step(self) -> int:
        """One batch; returns its tokens."""
        if not self._order:
            self._order = self._rng.permutation(len(self.train.ids)).tolist()
        rows, self._order = self._order[:PLAIN_ROWS], self._order[PLAIN_ROWS:]
        ids, lengths = self._padded(self.train, rows)
        self.model.train()
        self.optimizer.zero_grad()
        targets = torch.as_tensor(self.train.targets[rows]).to(self._device)
        F.cross_entropy(self.model(ids, lengths), targets).backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        return int(lengths.sum())

    def accuracy(self, examples: Examples) -> float:
        """Share of `examples` that are right."""
        self.model.eval()
        right = 0
        with torch.inference_mode():
            for start in range(0, len(examples.ids), PLAIN_ROWS):
                rows = list(range(start, min(start + PLAIN_ROWS, len(examples.ids))))
                guesses = self.model(*self._padded(examples, rows)).argmax(1).cpu().numpy()
                right += int((guesses == examples.targets[rows]).sum())
        return right / len(examples.ids)

    def _padded(self, examples: Examples, rows: list[int]) -> tuple[Tensor, Tensor]:
        # `pack_padded_sequence` refuses rows without tokens.
        texts = [torch.as_tensor(examples.ids[i], dtype=torch.long) if len(examples.ids[i]) else NOTHING for i in rows]
        ids_BT = nn.utils.rnn.pad_sequence(texts, batch_first=True).to(self._device)
        return ids_BT, torch.tensor([len(text) for text in texts])


class OurLoop:
    """Sluice's trainer, stopped whenever its turn is over."""

    def __init__(self, trainer: Trainer) -> None:
        self.trainer = trainer

    def run(self, seconds: float) -> float:
        """Trains for `seconds`; returns tokens a second."""
        before, began = self.trainer.num_tokens, time.perf_counter()
        self.trainer.run(should_stop=lambda: time.perf_counter() - began >= seconds)
        return (self.trainer.num_tokens - before) / (time.perf_counter() - began)


def run_plain(loop: PlainLoop, seconds: float) -> float:
    """Trains for `seconds`; returns tokens a second."""
    began, tokens = time.perf_counter(), 0
    while time.perf_counter() - began < seconds:
        tokens += loop.step()
    return tokens / (time.perf_counter() - began)


@dataclass(frozen=True)
class Job:
    """The same texts, tokens and sizes for both loops."""

    config: TrainConfig
    corpus: Corpus
    tokenizer: Tokenizer
    device: torch.device

    def trainer(self, **loop: float | None) -> Trainer:
        """A fresh trainer with parts of the recipe's loop replaced."""
        config = self.config.model_copy(update={"loop": self.config.loop.model_copy(update={"patience": 1000, **loop})})
        network = new_network(config, self.corpus, self.tokenizer, None)
        objective = choose_objective(config, self.corpus, self.encoder)
        return new_trainer(
            network, self._examples, self.corpus, config, self.encoder, objective=objective, device=self.device
        )

    @cached_property
    def encoder(self) -> TextEncoder:
        """The encoder of the recipe's tokenizer."""
        return new_encoder(self.config, self.tokenizer)

    @cached_property
    def _examples(self) -> Examples:
        return encode_examples(self.corpus.train, self.corpus, self.encoder)

    def plain(self) -> PlainLoop:
        """A fresh plain loop."""
        trainer = self.trainer()
        shape = trainer.network.architecture
        return PlainLoop(
            shape, trainer.train, len(self.corpus.labels), dropout=self.config.dropouts.pooled, device=self.device
        )


def take_turns(console: Console, plain: PlainLoop, ours: OurLoop, *, rounds: int, seconds: float) -> None:
    """Prints the rates of each round and the spread of their ratio."""
    run_plain(plain, 1.0)
    ours.run(1.0)
    ratios = []
    for number in range(1, rounds + 1):
        slow, fast = run_plain(plain, seconds), ours.run(seconds)
        ratios.append(fast / slow)
        rates = f"plain {slow:,.0f} tokens/s, sluice {fast:,.0f} tokens/s"
        console.print(f"round {number}: {rates}, ratio {ratios[-1]:.2f}")
    console.print(f"ratio: median {statistics.median(ratios):.2f}, min {min(ratios):.2f}, max {max(ratios):.2f}")


def compare_accuracy(console: Console, job: Job, epochs: int) -> None:
    """Trains both from the start for the same passes and prints the best validation accuracy and time of each."""
    plain, began = job.plain(), time.perf_counter()
    steps = -(-len(plain.train.ids) // PLAIN_ROWS)
    scores = []
    for _ in range(epochs):
        for _ in range(steps):
            plain.step()
        scores.append(plain.accuracy(job.trainer().validation))
    console.print(f"plain: validation accuracy {max(scores):.4f} in {time.perf_counter() - began:.0f} s")
    trainer = job.trainer(epochs=epochs, validations_per_epoch=1)
    trainer.run()
    console.print(f"sluice: validation accuracy {trainer.best:.4f} in {trainer.seconds:.0f} s")


@click.command(help=__doc__)
@click.option("--recipe", default="sst2", show_default=True)
@click.option("--data-root", type=click.Path(path_type=Path), envvar="SLUICE_DATA", default=Path("data"))
@click.option("--rounds", default=5, show_default=True)
@click.option("--seconds", default=10.0, show_default=True, help="Of each turn.")
@click.option("--accuracy-epochs", default=0, show_default=True, help="Train both for so many passes, too.")
@click.option("--threads", default=os.cpu_count(), show_default=True)
@click.option("--device", default="cpu", show_default=True)
def main(
    recipe: str, data_root: Path, rounds: int, seconds: float, accuracy_epochs: int, threads: int, device: str
) -> None:
    """Prints a line a round and the median ratio."""
    torch.set_num_threads(threads)
    console = Console()
    config = build_config(below(read_recipe(recipe), data_root))
    corpus = read_corpus(config.data, seed=0, data_root=data_root)
    job = Job(config, corpus, train_tokenizer(config.tokenizer, corpus.train.texts), torch.device(device))
    # One reading an epoch keeps validation out of the turns: both loops do nothing but train.
    ours = OurLoop(job.trainer(epochs=1000, validations_per_epoch=1))
    take_turns(console, job.plain(), ours, rounds=rounds, seconds=seconds)
    if accuracy_epochs:
        compare_accuracy(console, job, accuracy_epochs)


if __name__ == "__main__":
    main()

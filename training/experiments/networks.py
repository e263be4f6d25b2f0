"""The networks of a comparison: one architecture, each with one thing changed.

Every other context (widths, dropout, loop, tokenizer) is the same for all and comes from the recipe, file or `--set`.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tokenizers import Tokenizer

from model.classifier import Classifier
from model.device import resolve_device
from training.artifacts.publish import bare_checkpoint, reload
from training.config.config import TrainConfig
from training.data.tokenizer import train_tokenizer
from training.evaluation.evaluate import logits_of
from training.experiments.contender import Contender, FitContext, Floats
from training.fit.progress import show_progress
from training.fit.trainer import Trainer
from training.runs.blend import with_ngrams
from training.runs.train import build_trainer

PROBE_STEPS = 20
PROBE_SHARE = 0.05
"""Of the budget; the speed is measured over so many steps or so long, whichever is shorter."""

ONE_BILSTM: dict[str, Any] = {
    "cell": "lstm",
    "num_layers": 1,
    "bidirectional": True,
    "conv_width": 0,
}
"""The architecture of which each other network changes one thing; pooling and widths are as set."""

CHANGES: dict[str, tuple[str, dict[str, Any]]] = {
    "average": ("averaged embeddings", {"num_layers": 0, "pooling": "mean"}),
    "rnn": ("plain RNN", {"cell": "rnn"}),
    "lstm": ("LSTM, forward only", {"bidirectional": False}),
    "bilstm": ("LSTM, both directions", {}),
    "stacked": ("two layers", {"num_layers": 2}),
    "gru": ("GRU", {"cell": "gru"}),
    "peephole": ("peephole LSTM", {"cell": "peephole"}),
    "layernorm": ("layer-normalised LSTM", {"cell": "layernorm"}),
    "sru": ("simple recurrent unit", {"cell": "sru"}),
    "cnn": ("convolution in front", {"conv_width": 3}),
    "attention": ("attention pooling", {"pooling": "attention"}),
}
"""Title and change by name. The trained average is the model that model2vec and Iyyer et al. 2015 (DAN) come down to;
width 3 in front is the C-LSTM of Zhou et al. 2015, section 4.3."""

NGRAMS = "ngrams"
"""The bidirectional LSTM with hashed n-grams beside it, as `train` makes it; the others have none."""


@dataclass(frozen=True, slots=True)
class Network:
    """A network as it would be served; implements `training.experiments.contender.Fitted`."""

    classifier: Classifier
    size_bytes: int
    choice: str

    def logits(self, texts: Sequence[str]) -> Floats:
        """Uncalibrated logits [N, labels] of texts."""
        return logits_of(self.classifier, self.classifier.encode(texts))


def contender(name: str) -> Contender:
    """The network of this name as a method of a comparison."""
    title = "LSTM and hashed n-grams" if name == NGRAMS else CHANGES[name][0]
    return Contender(name, title, lambda context, seed: fit_network(name, context, seed), seeded=True)


def changed(config: TrainConfig, name: str, seed: int) -> TrainConfig:
    """The configuration with the architecture of this name, and this seed."""
    changes = CHANGES["bilstm" if name == NGRAMS else name][1]
    architecture = config.architecture.model_copy(update=ONE_BILSTM | changes)
    ngrams = config.ngrams if name == NGRAMS else config.ngrams.model_copy(update={"buckets": 0})
    return config.model_copy(update={"architecture": architecture, "ngrams": ngrams, "seed": seed})


def fit_network(name: str, context: FitContext, seed: int) -> Network:
    """Learns a tokenizer and trains, in as many epochs as fit into the budget; validation picks the weights."""
    config = changed(context.request.config, name, seed)
    began = time.monotonic()
    tokenizer = train_tokenizer(config.tokenizer, context.corpus.training_texts)
    if context.budget_s is not None:
        left = context.budget_s - (time.monotonic() - began)
        config = shortened(config, context, tokenizer, budget_s=left)
    trainer = _trainer(config, context, tokenizer)
    with show_progress(context.console, metric=config.metric) as show:
        trainer.run(lambda progress: show(progress, trainer.history))
    scratch = context.scratch / "checkpoint"
    network = with_ngrams(trainer, context.corpus, tokenizer, config, context.console)
    classifier = reload(bare_checkpoint(config, context.corpus, tokenizer, network), scratch, context.device)
    size = sum(path.stat().st_size for path in scratch.iterdir())
    return Network(classifier, size, f"best of {trainer.history[-1]['epoch']:.3g} epochs")


def shortened(config: TrainConfig, context: FitContext, tokenizer: Tokenizer, *, budget_s: float) -> TrainConfig:
    """Cuts the epochs of the configuration to those that the budget has room for, at least one.

    Not simply stopped when time is up: the learning rate then falls to its floor at the end, as it should.
    """
    trainer = _trainer(config, context, tokenizer)
    steps = 0

    def enough() -> bool:
        nonlocal steps
        steps += 1
        return steps >= PROBE_STEPS or trainer.seconds > PROBE_SHARE * budget_s

    trainer.run(should_stop=enough)
    seconds_per_epoch = trainer.seconds / steps * trainer.total_steps / config.loop.epochs
    epochs = max(1, min(config.loop.epochs, int((budget_s - trainer.seconds) / seconds_per_epoch)))
    return config.model_copy(update={"loop": config.loop.model_copy(update={"epochs": epochs})})


def _trainer(config: TrainConfig, context: FitContext, tokenizer: Tokenizer) -> Trainer:
    return build_trainer(config, context.corpus, tokenizer, device=resolve_device(context.device))

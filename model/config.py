"""Frozen configuration of a checkpoint.

It holds all that inference needs to rebuild the network and to read its output; settings of
training alone (dropout, learning rates) are elsewhere.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

FORMAT_VERSION = 1
"""Version of the checkpoint folder that this code writes; older ones are read, newer ones refused."""

Cell = Literal["lstm", "gru", "rnn", "peephole", "layernorm", "sru"]
"""Kind of the recurrent layers; see `model.cells`."""

Pooling = Literal["max_mean_last", "max", "mean", "last", "attention"]
Task = Literal["single_label", "multi_label"]


class Frozen(BaseModel):
    """Base of configuration values: immutable, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class EncoderShape(Frozen):
    """Shape of `model.encoder.Encoder`, which turns time steps into one vector.

    Attributes:
        embedding_dim: E, width of a time step: of a token's vector, or the numbers that a series has at a time.
        hidden_size: H, units per layer and direction.
        num_layers: stacked recurrent layers, 1 to 3; 0 pools the time steps themselves, a bag of words.
        bidirectional: whether each layer also reads backwards.
        pooling: how the states over time become one vector; see `model.encoder`.
        cell: kind of the recurrent layers.
        conv_width: width in steps of a convolution in front of the recurrent layers, odd; 0 is none.
    """

    embedding_dim: Annotated[int, Field(ge=1, le=4096)]
    hidden_size: Annotated[int, Field(ge=1, le=4096)]
    num_layers: Annotated[int, Field(ge=0, le=3)] = 1
    bidirectional: bool = True
    pooling: Pooling = "max_mean_last"
    cell: Cell = "lstm"
    conv_width: Annotated[int, Field(ge=0, le=31)] = 0

    @field_validator("conv_width")
    @classmethod
    def _odd(cls, width: int) -> int:
        if width and width % 2 == 0:
            raise ValueError("must be odd, so that as many tokens are seen before as after, or 0 for none")
        return width

    @property
    def num_directions(self) -> int:
        """2 when bidirectional, else 1."""
        return 2 if self.bidirectional else 1

    @property
    def state_size(self) -> int:
        """Width of one layer's output over both directions; without layers that of the embedding."""
        return self.hidden_size * self.num_directions if self.num_layers else self.embedding_dim

    @property
    def pooled_size(self) -> int:
        """Width of the vector that the head reads."""
        return self.state_size * (3 if self.pooling == "max_mean_last" else 1)


class Architecture(EncoderShape):
    """Shape of the network; two equal values build networks with equal parameters.

    Attributes:
        vocab_size: V, rows of the embedding.
        ngram_buckets: rows of a linear model over hashed n-grams beside the recurrent layers; 0 is none.
        ngram_order: longest n-gram, in tokens.
    """

    vocab_size: Annotated[int, Field(ge=1)]
    ngram_buckets: Annotated[int, Field(ge=0, le=2**24)] = 0
    ngram_order: Annotated[int, Field(ge=1, le=5)] = 2


Temperature = Annotated[float, Field(ge=1e-6, le=1e6)]
"""What logits are divided by, in single precision: with less or more nothing of them would be left."""


class PrecisionThreshold(Frozen):
    """The probability from which answers are right in a share of cases, as held-out texts show.

    An answer is the most probable label; of a multi-label model it is right if the text has that label.

    Attributes:
        precision: the share of right answers among those from the threshold up.
        threshold: the probability; None if no threshold reaches the precision.
        coverage: share of the held-out texts whose answers reach the threshold; 0 without one.
    """

    precision: Annotated[float, Field(gt=0, lt=1)]
    threshold: Annotated[float, Field(ge=0, le=1)] | None
    coverage: Annotated[float, Field(ge=0, le=1)]


class CheckpointConfig(Frozen):
    """Contents of `config.json` in a checkpoint.

    Attributes:
        format_version: version of the folder's layout.
        task: `single_label` (softmax over labels) or `multi_label` (a sigmoid each).
        labels: names in the order of the head's rows; at least two for single-label, one for multi-label; distinct.
        max_tokens: longer texts are cut to their first `max_tokens` tokens.
        temperature: logits are divided by it before softmax or sigmoid.
            Source: Guo et al. 2017, "On Calibration of Modern Neural Networks", eq. 9.
        chinese_temperature: the same of a text of Chinese tokens alone; see `model.temperature`. None is `temperature`.
        thresholds: for multi-label, the probability from which each label is given; None is 1/2 for all.
        precision_thresholds: from which probability an answer can be trusted so far, rising; none if not measured.
        architecture: the network.
    """

    format_version: Annotated[int, Field(ge=1)] = FORMAT_VERSION
    task: Task = "single_label"
    labels: tuple[str, ...]
    max_tokens: Annotated[int, Field(ge=1)]
    temperature: Temperature = 1.0
    chinese_temperature: Temperature | None = None
    thresholds: tuple[Annotated[float, Field(ge=0, le=1)], ...] | None = None
    precision_thresholds: tuple[PrecisionThreshold, ...] = ()
    architecture: Architecture

    @field_validator("labels")
    @classmethod
    def _distinct(cls, labels: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(labels)) != len(labels):
            raise ValueError("labels repeat")
        if not labels:
            raise ValueError("no labels")
        return labels

    @field_validator("precision_thresholds")
    @classmethod
    def _rising(cls, thresholds: tuple[PrecisionThreshold, ...]) -> tuple[PrecisionThreshold, ...]:
        precisions = [each.precision for each in thresholds]
        if precisions != sorted(set(precisions)):
            raise ValueError("precisions do not rise")
        return thresholds

    @model_validator(mode="after")
    def _a_threshold_each(self) -> "CheckpointConfig":
        if self.thresholds is not None:
            if self.task != "multi_label":
                raise ValueError("thresholds are for multi_label only")
            if len(self.thresholds) != len(self.labels):
                raise ValueError(f"{len(self.thresholds)} thresholds for {len(self.labels)} labels")
        return self

"""The settings of a pre-training, as one frozen value."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from model.config import Architecture, Cell, Frozen
from model.encoder import Dropouts, Rate
from training.data.tokenizer import TokenizerConfig
from training.fit.steps import Count, Positive, Share, StepsConfig

WeightFormat = Literal["float32", "float16", "int8"]


class EncoderShape(Frozen):
    """The part of `Architecture` that a classifier takes over, with the same names and meanings.

    A bidirectional network of several layers is refused: from the second layer on its input is both directions of the
    layer below, so the state that is to predict a token would have read it.
    """

    embedding_dim: Annotated[int, Field(ge=1, le=4096)] = 128
    hidden_size: Annotated[int, Field(ge=1, le=4096)] = 128
    num_layers: Annotated[int, Field(ge=1, le=3)] = 1
    bidirectional: bool = True
    cell: Cell = "lstm"

    @model_validator(mode="after")
    def _sees_only_its_past(self) -> Self:
        if self.bidirectional and self.num_layers > 1:
            raise ValueError(
                "in a bidirectional network of several layers each direction sees the other's states, and with them "
                "the token that it is to predict; set num_layers=1 or bidirectional=false"
            )
        return self

    def sized(self, vocab_size: int) -> Architecture:
        """The architecture over `vocab_size` tokens; how it pools is of no concern here."""
        return Architecture(vocab_size=vocab_size, pooling="max", **self.model_dump())


class LanguageDropouts(Frozen):
    """Probabilities of dropping; those that `Dropouts` has too mean the same.

    Source of the defaults: those of AWD-LSTM for some ten million tokens, a tenth and less; a small set wants more.

    Attributes:
        word, token, embedding, between, recurrent: see `model.encoder.Dropouts`.
        output: elements of the top layer's states, the same ones at each time step (Merity et al. 2018, section 4.2).
    """

    word: Rate = 0.05
    token: Rate = 0.0
    embedding: Rate = 0.1
    between: Rate = 0.1
    recurrent: Rate = 0.1
    output: Rate = 0.1

    def of_network(self) -> Dropouts:
        """The dropouts that the network itself applies."""
        return Dropouts(**self.model_dump(exclude={"output"}))


class LanguageLoop(StepsConfig):
    """Settings of the training loop; the weights of the lowest validation perplexity are kept.

    With the full softmax also the embedding decays, whose gradient is then dense.

    Attributes:
        softmax_samples: tokens drawn for each batch in place of the whole vocabulary; 0 is the full softmax.
        activation: alpha, weight of the mean square of the top states after dropout (AR).
        temporal: beta, weight of the mean square of their change from token to token (TAR).
            Source: Merity et al. 2018 (AWD-LSTM), section 4.6, with its alpha = 2 and beta = 1.
    """

    warmup: Share = 0.1
    clip_norm: Positive = 0.5
    validations_per_epoch: Count = 1
    betas: tuple[float, float] = (0.8, 0.99)
    softmax_samples: Annotated[int, Field(ge=0)] = 1024
    activation: Annotated[float, Field(ge=0)] = 2.0
    temporal: Annotated[float, Field(ge=0)] = 1.0


class VectorsConfig(Frozen):
    """Sentence vectors that are imitated beside the language model, from the same pass.

    Attributes:
        files: that `vectors` wrote; those of one encoder share a linear map.
        weight: of the loss against them: 1 - cosine, and the differences between texts.
        pairwise: weight within it of the mean squared difference between the cosines of all pairs of a batch.
        language: weight of the language model beside them; 0 learns from the vectors alone.
    """

    files: tuple[str, ...] = ()
    weight: Positive = 10.0
    pairwise: Annotated[float, Field(ge=0)] = 1.0
    language: Annotated[float, Field(ge=0)] = 1.0


class PretrainConfig(Frozen):
    """The settings of a whole pre-training.

    Attributes:
        texts: files to learn from.
        without: files none of whose texts is learned from.
        vocabulary: files whose texts only take part in making the tokenizer.
        fixed_tokenizer: a `tokenizer.json`, or a folder that has one, to use in place of making one; the settings of
            the tokenizer that can be told from it follow from it.
        text_column: of all files; None finds it in each.
        weights: number format in which the weights are stored; `int8` is float16 with an embedding of 8 bits.
        seed: of the first weights, the order of the batches, dropout and drawn tokens.
        source, licence: where to get the texts, and the licence that is stated there; shown in the card.
        validation_fraction: share of the texts that measure the perplexity, chosen by their digests.
        validation_tokens: of these texts so many tokens are read at most, for every reading costs a full softmax each.
        tokenizer: `max_tokens` is the length of a window: longer texts are parted, none is cut off.
        architecture: what a classifier will take over.
    """

    texts: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    vocabulary: tuple[str, ...] = ()
    fixed_tokenizer: str | None = None
    text_column: str | None = None
    source: str = ""
    licence: str = ""
    weights: WeightFormat = "float32"
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    validation_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.02
    validation_tokens: Annotated[int, Field(ge=2)] = 50_000
    tokenizer: TokenizerConfig = TokenizerConfig()
    architecture: EncoderShape = EncoderShape()
    dropouts: LanguageDropouts = LanguageDropouts()
    loop: LanguageLoop = LanguageLoop()
    vectors: VectorsConfig = VectorsConfig()

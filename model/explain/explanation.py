"""Options of an explanation, and its fields as `POST /explain` answers them (docs/design/0017-looking-inside.md).

The structs hold plain values that msgspec writes as they stand; parts that were not requested are None and left out.
This module does not need PyTorch.
"""

from typing import Annotated

import msgspec

DECIMALS = 6
"""Digits of every number behind the point; float32 has no more."""

MAX_UNITS = 8
"""Units whose gates one explanation shows, at most."""

MAX_UNIT = 65_535
"""Largest number of a unit that a request may hold; no model has so many units."""


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """Parts of an explanation to compute, the same from the request to the explainer."""

    label: Annotated[
        str | None, msgspec.Meta(description="Label to explain; by default each text's most probable label.")
    ] = None
    occlusion: Annotated[
        bool, msgspec.Meta(description="Also measure what leaving out each token and word does, in `attribution`.")
    ] = True
    sentences: Annotated[bool, msgspec.Meta(description="Score each sentence as a text of its own.")] = True
    gates: Annotated[bool, msgspec.Meta(description="Show the gates of each layer and direction.")] = False
    units: Annotated[
        Annotated[list[Annotated[int, msgspec.Meta(ge=0, le=MAX_UNIT)]], msgspec.Meta(max_length=MAX_UNITS)] | None,
        msgspec.Meta(description="Units, from 0 up, whose gates are shown besides the means; they imply `gates`."),
    ] = None

    @property
    def with_gates(self) -> bool:
        """True if gates or some of their units were asked for."""
        return self.gates or bool(self.units)


class LabelScore(msgspec.Struct, frozen=True):
    """A label and its calibrated probability."""

    label: str
    score: Annotated[float, msgspec.Meta(ge=0, le=1)]


class Part(msgspec.Struct, frozen=True, omit_defaults=True):
    """A token or a word of the text, and what it does to the log-odds of the chosen label.

    Attributes:
        text: the characters that it stands for, as they were sent.
        start, end: code points of the text as it was sent; the tokens of one character all have that character.
        score: attribution by integrated gradients; positive speaks for the label. A word's is the sum of its tokens'.
        occlusion: the log-odds less those without this part.
    """

    text: str
    start: int
    end: int
    score: float
    occlusion: float | None = None


class Attribution(msgspec.Struct, frozen=True):
    """Integrated gradients of the log-odds of the chosen label.

    Attributes:
        value: log-odds of the label given the text.
        baseline: those given no text: all attributions add up to `value - baseline`.
        gap: what is missing from that sum, as a share of `value - baseline`; 0 or more.
        steps: gradients that were computed.
        tokens: in the order of the text.
        words: words, numbers and runs of punctuation as `model.tokenizer` parts them; in Chinese each token is one.
    """

    value: float
    baseline: float
    gap: float
    steps: int
    tokens: list[Part]
    words: list[Part]


class SentenceScore(msgspec.Struct, frozen=True):
    """A sentence scored as a text of its own: its most likely label, and the probability of that."""

    text: str
    start: int
    end: int
    label: str
    score: float


class Gates(msgspec.Struct, frozen=True, omit_defaults=True):
    """One number a token, in the order of the text. A cell without one of these has no such field.

    Attributes:
        forget, input, output: gates of the LSTM and its variants, 0 to 1.
        reset, update: gates of the GRU, 0 to 1.
        candidate: what may enter the cell, -1 to 1.
        cell: the LSTM's cell state.
        hidden: the hidden state.
    """

    forget: list[float] | None = None
    input: list[float] | None = None
    output: list[float] | None = None
    reset: list[float] | None = None
    update: list[float] | None = None
    candidate: list[float] | None = None
    cell: list[float] | None = None
    hidden: list[float] | None = None


class UnitGates(Gates, frozen=True, omit_defaults=True, kw_only=True):
    """The same of one unit, 0 to H - 1."""

    unit: int


class LayerGates(msgspec.Struct, frozen=True, omit_defaults=True):
    """The gates of one layer in one direction.

    Attributes:
        layer: from 0, the lowest.
        direction: `forward` or `backward`.
        mean: over all units.
        units: chosen ones; absent if none was chosen.
    """

    layer: int
    direction: str
    mean: Gates
    units: list[UnitGates] | None = None


class Explanation(msgspec.Struct, frozen=True, omit_defaults=True):
    """Why a text got its label.

    Attributes:
        label: the label explained.
        score: its calibrated probability.
        scores: those of all labels, most likely first.
        tokens: how many were read.
        truncated: whether the end of the text was not read, and is not explained.
        attribution: of tokens and words.
        sentences, gates: None if not asked for.
    """

    label: str
    score: float
    scores: list[LabelScore]
    tokens: int
    truncated: bool
    attribution: Attribution
    sentences: list[SentenceScore] | None = None
    gates: list[LayerGates] | None = None


class Fault(msgspec.Struct, frozen=True):
    """Why a text cannot be explained: a stable code, and a sentence that does not repeat the text."""

    type: str
    detail: str


class Unexplained(msgspec.Struct, frozen=True):
    """Entry in the place of a text that cannot be explained."""

    error: Fault

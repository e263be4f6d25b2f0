"""What an explanation says, field for field as `POST /explain` answers it (docs/design/0017-looking-inside.md).

Plain values that msgspec writes as they stand; what was not asked for is None and left out. Nothing here needs PyTorch.
"""

import msgspec

DECIMALS = 6
"""Of every number: float32 has no more to give."""

GRADIENT_COST = 3
"""A forward and a backward pass cost about three forward ones: one product each for the result, for the gradient of the
input and for that of the weights, which the fused kernels compute whether it is wanted or not."""


class LabelScore(msgspec.Struct, frozen=True):
    """A label and its calibrated probability."""

    label: str
    score: float


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
        words: words, numbers and runs of punctuation as `model.text` parts them; each Chinese character is one.
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
    """What stands in the place of a text that cannot be explained."""

    error: Fault


def cost(num_tokens: int, *, steps: int, occlusion: bool = False, sentences: bool = False, gates: bool = False) -> int:
    """About how much work explaining a text is, in tokens of a prediction.

    >>> cost(10, steps=32)
    960
    >>> cost(10, steps=32, occlusion=True)
    1060
    """
    tokens = num_tokens * GRADIENT_COST * steps
    return tokens + num_tokens * (num_tokens * occlusion + sentences + gates)

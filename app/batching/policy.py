"""Batch policies: texts that share the next batch, and the tokens that a batch costs."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from app.config.sections import BatchLimits
from app.core.classifier import Scorer

WINDOW_BATCHES = 8
"""A padded batch is chosen among the oldest eight batches' worth of texts. Wider saves little and costs sorting."""

FREE_PADDING = 2048
"""Padded tokens up to which a batch is worth filling whatever the padding: a launch costs about as much."""

PACKED_TOKENS = {"cpu": 8_192, "cuda": 262_144}
"""Tokens of a packed batch at most, by kind of device: more only hold up the others. 8,192 take about 16 ms on a core,
where two dozen texts give the full rate; 262,144 take 0.4 ms of an H200, which wants thousands of texts."""

INLINE_TOKENS = 2048
"""Tokens that a CPU may compute on the event loop, where nothing waits: 1.6 ms with 128 units a direction and 3.2 with
192 (`docs/design/0030-kernels.md`), two and a half times that with AVX2; a turn of the loop takes as long under load.
Handing over to a thread and back costs more than most such batches, and more still where both threads want the
interpreter. Their measured time is no measure: on a busy core it holds what others computed."""

CPU_TEXTS = 240
"""Default bound of the texts of a packed batch on a CPU: ten blocks of the engine, which computes 24 texts together.
Of 64 texts two threads get a block and a third each, which takes them as long as two; and handing over a batch costs
as much whatever it holds. Long texts meet the bound of tokens first."""

GPU_TEXTS, GPU_TOKENS = 4096, 262_144
"""Default bounds of a packed batch on a GPU. An H200 computed 0.15 million sentences a second in batches of 32, 2.5
in batches of 1,024 and 4.0 in batches of 16,384 (`docs/design/0020-gpu.md`)."""

GPU_PADDED_TEXTS, GPU_PADDED_TOKENS = 1024, 65_536
"""The same for cuDNN, ten times as fast in batches of 1,024 as of 64; its memory grows with the padded tokens."""


@dataclass(frozen=True, slots=True)
class BatchPolicy(ABC):
    """Choice of the next batch among waiting texts. The oldest one is in every batch, so none waits for ever.

    Attributes:
        max_texts: texts of a batch at most.
        max_tokens: cost of a batch at most, unless one text alone costs more.
        inline_tokens: cost of a batch that may be computed on the event loop; 0 where none may.
    """

    max_texts: int
    max_tokens: int
    inline_tokens: int = 0

    @property
    def window(self) -> int:
        """Oldest waiting texts among which a batch is chosen."""
        return self.max_texts

    @abstractmethod
    def cut(self, lengths: Sequence[int]) -> list[int]:
        """Indexes of the texts that make the next batch.

        Args:
            lengths: tokens of the waiting texts, each at least 1, oldest first; at most `window`, at least one.
        """

    @abstractmethod
    def cost(self, lengths: Sequence[int]) -> int:
        """Tokens that a batch of texts of these lengths computes."""


class Packed(BatchPolicy):
    """Policy for engines that compute no padding: the oldest texts make the next batch.

    >>> Packed(max_texts=3, max_tokens=100).cut([50, 1, 60])
    [0, 1]
    """

    __slots__ = ()

    def cut(self, lengths: Sequence[int]) -> list[int]:
        """Indexes of the oldest texts within the bounds."""
        tokens = 0
        for index, length in enumerate(lengths):
            tokens += length
            if index and tokens > self.max_tokens:
                return list(range(index))
        return list(range(len(lengths)))

    def cost(self, lengths: Sequence[int]) -> int:
        """Tokens of the texts."""
        return sum(lengths)


class Padded(BatchPolicy):
    """Policy for engines that pad each text to the longest of its batch: texts of similar length go together.

    >>> policy = Padded(max_texts=64, max_tokens=15)
    >>> sorted(policy.cut([4, 90, 5, 4, 91]))
    [0, 2, 3]
    >>> policy.cut([900, 1, 1])  # too long for the bound, but it must go some time
    [0]
    """

    __slots__ = ()

    @property
    def window(self) -> int:
        """Texts of eight batches."""
        return WINDOW_BATCHES * self.max_texts

    def cut(self, lengths: Sequence[int]) -> list[int]:
        """Indexes of the oldest text and those nearest to it in length.

        Grows from the oldest text towards the neighbour in length that adds less padding. Stops at a bound, or where
        padding would be more than half of the work.
        """
        if len(lengths) <= self.max_texts and self._worthwhile(max(lengths) * len(lengths), sum(lengths)):
            return list(range(len(lengths)))  # all of them: mostly so, and choosing costs microseconds a text
        order = sorted(range(len(lengths)), key=lengths.__getitem__)
        low = high = order.index(0)
        real = lengths[0]
        while high - low + 1 < self.max_texts:
            count = high - low + 2
            longest = lengths[order[high]]
            options = []
            if low > 0:
                shorter = lengths[order[low - 1]]
                options.append((longest - shorter, longest * count, real + shorter, low - 1, high))
            if high + 1 < len(order):
                longer = lengths[order[high + 1]]
                options.append(((longer - longest) * (count - 1), longer * count, real + longer, low, high + 1))
            for _added_padding, padded, total, new_low, new_high in sorted(options):
                if self._worthwhile(padded, total):
                    low, high, real = new_low, new_high, total
                    break
            else:
                break
        return order[low : high + 1]

    def cost(self, lengths: Sequence[int]) -> int:
        """Tokens of the longest text for each text; an empty one takes a token too."""
        return max(1, max(lengths)) * len(lengths)

    def _worthwhile(self, padded: int, real: int) -> bool:
        return padded <= self.max_tokens and padded <= max(FREE_PADDING, 2 * real)


def policy_for(scorer: Scorer, limits: BatchLimits) -> BatchPolicy:
    """Policy that suits how a scorer computes; a GPU has larger bounds of its own where none are set."""
    kind = scorer.device.partition(":")[0]
    texts, tokens = limits.max_batch_texts, limits.max_batch_tokens
    if kind == "cuda":
        gpu_texts, gpu_tokens = (GPU_PADDED_TEXTS, GPU_PADDED_TOKENS) if scorer.pads else (GPU_TEXTS, GPU_TOKENS)
        if "max_batch_texts" not in limits.model_fields_set:
            texts = min(gpu_texts, limits.max_queue_texts)
        if "max_batch_tokens" not in limits.model_fields_set:
            tokens = min(gpu_tokens, limits.max_queue_tokens)
    if scorer.pads:
        return Padded(texts, tokens)
    if kind == "cpu" and "max_batch_texts" not in limits.model_fields_set:
        texts = min(CPU_TEXTS, limits.max_queue_texts)
    return Packed(texts, min(tokens, PACKED_TOKENS[kind]), INLINE_TOKENS if kind == "cpu" else 0)

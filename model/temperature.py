"""Temperature of a text: what its logits are divided by, so that probabilities are calibrated.

Shape suffixes: N texts, C labels, V tokens of the vocabulary.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self, TypeVar

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from model.config import CheckpointConfig
from model.tokens import Marks, chinese_tokens, share_of_tokens

Logits = TypeVar("Logits", npt.NDArray[np.float32], npt.NDArray[np.float64])


@dataclass(frozen=True, slots=True)
class Temperature:
    """One number, or one that depends on the share of a text's tokens that are Chinese.

    No temperature changes the order of a text's labels.

    Attributes:
        other: of a text without Chinese tokens, above 0; of every text if there is no `chinese`.
        chinese: of a text of nothing but Chinese tokens, above 0. A share s between has 1 / ((1 - s) / other + s /
            chinese): the inverse is a mean of the two, so that a fit of both is convex.
        chinese_V: marks the Chinese tokens of the vocabulary; read if there is `chinese`.
    """

    other: float = 1.0
    chinese: float | None = None
    chinese_V: Marks | None = None

    @classmethod
    def of_checkpoint(cls, config: CheckpointConfig, tokenizer: Tokenizer) -> Self:
        """The temperature that a checkpoint's configuration asks for."""
        if config.chinese_temperature is None:
            return cls(config.temperature)
        return cls(config.temperature, config.chinese_temperature, chinese_tokens(tokenizer))

    def of(self, rows: Sequence[npt.NDArray[np.int32]]) -> npt.NDArray[np.float64]:
        """Temperature [N, 1] of texts by their token ids, or [1, 1] if all texts have the same."""
        if self.chinese is None or self.chinese_V is None or not rows:
            return np.full((1, 1), self.other)
        share_N = share_of_tokens(self.chinese_V, rows)
        return 1 / (1 / self.other + share_N * (1 / self.chinese - 1 / self.other))[:, None]

    def divide(self, logits_NC: Logits, rows: Sequence[npt.NDArray[np.int32]]) -> Logits:
        """Logits over the temperature of their texts, in the same number format."""
        temperature: Any = self.of(rows).astype(logits_NC.dtype)
        return logits_NC / temperature  # type: ignore[no-any-return]

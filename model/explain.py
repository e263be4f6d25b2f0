"""Explains predictions: a checkpoint and texts in, plain values out."""

from collections.abc import Sequence

from model.checkpoint import Checkpoint
from model.explanation import Explanation, Unexplained

STEPS = 32
MAX_TOKENS = 1024
MAX_UNITS = 8


class Explainer:
    """A checkpoint that explains itself, in float32.

    Attributes:
        labels: names, as the classifier has them.
        version: first 12 hex digits of the checkpoint's digest.
        max_tokens: a text of more tokens cannot be explained. The checkpoint's own limit, where a text is cut, or
            `MAX_TOKENS` if that is less.
    """

    def __init__(
        self, checkpoint: Checkpoint, *, device: str = "cpu", steps: int = STEPS, threads: int | None = None
    ) -> None:
        self.labels: tuple[str, ...] = checkpoint.config.labels
        self.version = checkpoint.version
        self.max_tokens = min(checkpoint.config.max_tokens, MAX_TOKENS)

    def num_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text that would be read; more than `max_tokens` cannot be explained."""
        raise NotImplementedError

    def costs(self, texts: Sequence[str], *, occlusion: bool = False, sentences: bool = False) -> list[int]:
        """About how much work each text is, in tokens of a prediction (see `model.explanation.cost`)."""
        raise NotImplementedError

    def explain(
        self,
        texts: Sequence[str],
        *,
        label: str | None = None,
        occlusion: bool = False,
        sentences: bool = False,
        gates: bool = False,
        units: Sequence[int] = (),
    ) -> list[Explanation | Unexplained]:
        """One explanation a text, in order.

        Args:
            texts: any strings.
            label: what to explain; by default each text's most likely label.
            occlusion: also what each token and word does by being left out.
            sentences: also the score of each sentence.
            gates: also the gates of each layer and direction.
            units: up to `MAX_UNITS` units, 0 to H - 1, to show beside the means over all; they imply `gates`.

        Raises:
            InputError: there is no such label or unit.
        """
        raise NotImplementedError

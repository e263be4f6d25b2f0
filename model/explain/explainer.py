"""Explainer of predictions: takes a checkpoint and texts, returns plain values and no tensors."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from model.checkpoint import Checkpoint
from model.classifier import set_num_threads
from model.device import resolve_device
from model.errors import ConfigError, InputError
from model.explain.attribution import Attributed, integrated_gradients
from model.explain.explanation import (
    DECIMALS,
    MAX_UNITS,
    Attribution,
    Explanation,
    Fault,
    Gates,
    LabelScore,
    LayerGates,
    Options,
    Part,
    SentenceScore,
    Unexplained,
    UnitGates,
)
from model.explain.gates import TracedLayer, trace
from model.explain.log_odds import Floats, LogOdds, occlusions
from model.explain.offsets import Aligned, Aligner
from model.explain.sentences import split_sentences
from model.temperature import Temperature

STEPS = 16
"""Gradients a text, at first. On SST-2 the scores then differ from those of 512 by 0.2% of their absolute sum, and two
sentences in a hundred have a gap above 1% and are done again with more."""

MAX_TOKENS = 1024

TEXT_TOO_LONG = "text_too_long"


class Explainer:
    """Explains the predictions of a checkpoint, in float32. Use it from one thread at a time.

    Args:
        checkpoint: loaded.
        device: as `Classifier.load` takes it.
        steps: gradients a text, at first; more make attributions more exact.
        threads: that a tensor operation uses, in this whole process; None changes nothing.

    Raises:
        ConfigError: the device is not available, a number is out of range, or there is only one label.

    Attributes:
        labels: names, as the classifier has them.
        version: first 12 hex digits of the checkpoint's digest.
        max_tokens: a text of more tokens than this cannot be explained. It is the checkpoint's own limit, at which
            every text is cut, unless that is above `MAX_TOKENS`.
        steps: gradients a text, at first.
    """

    def __init__(
        self, checkpoint: Checkpoint, *, device: str = "cpu", steps: int = STEPS, threads: int | None = None
    ) -> None:
        config = checkpoint.config
        if steps < 1:
            raise ConfigError(f"steps must be at least 1, not {steps}")
        if config.task == "single_label" and len(config.labels) < 2:
            raise ConfigError("with one label, always given, there is nothing to explain")
        if threads is not None:
            set_num_threads(threads)
        self.labels: tuple[str, ...] = config.labels
        self.version = checkpoint.version
        self.max_tokens = min(config.max_tokens, MAX_TOKENS)
        self.steps = steps
        self._hidden_size = config.architecture.hidden_size
        self._aligner = Aligner(checkpoint.tokenizer, max_tokens=config.max_tokens)
        temperature = Temperature.of_checkpoint(config, checkpoint.tokenizer)
        self._odds = LogOdds(checkpoint.build_network(), config.task, temperature, resolve_device(device))

    def num_tokens(self, texts: Sequence[str]) -> list[int]:
        """Counts the tokens that would be read of each text. Safe to call from several threads."""
        return [len(self._aligner.align(text).ids) for text in texts]

    def explain(self, texts: Sequence[str], options: Options) -> list[Explanation | Unexplained]:
        """Explains texts, one entry each in order; never fails on any string.

        Raises:
            InputError: the label or a unit does not exist, or there are too many units.
        """
        label = options.label
        self._check(label, options.units or ())
        aligned = [self._aligner.align(text) for text in texts]
        fit = [i for i, text in enumerate(aligned) if len(text.ids) <= self.max_tokens]
        rows = [aligned[i].ids for i in fit]
        logits_NC = self._odds.logits(rows)
        labels_N = logits_NC.argmax(1) if label is None else np.full(len(rows), self.labels.index(label))
        attributed = integrated_gradients(self._odds, rows, labels_N, steps=self.steps)
        found: list[Explanation | Unexplained] = [self._too_long(text) for text in aligned]
        for place, i in enumerate(fit):
            answer = _Answer(int(labels_N[place]), self._odds.probabilities(logits_NC[place]), attributed[place])
            found[i] = self._explanation(texts[i], aligned[i], answer, options)
        return found

    def _check(self, label: str | None, units: Sequence[int]) -> None:
        if label is not None and label not in self.labels:
            raise InputError("the model has no such label")
        if len(units) > MAX_UNITS:
            raise InputError(f"at most {MAX_UNITS} units are shown, not {len(units)}")
        if not all(0 <= unit < self._hidden_size for unit in units):
            raise InputError(f"units are numbered 0 to {self._hidden_size - 1}")

    def _too_long(self, text: Aligned) -> Unexplained:
        detail = f"The text has {len(text.ids)} tokens; at most {self.max_tokens} can be explained."
        return Unexplained(Fault(TEXT_TOO_LONG, detail))

    def _explanation(self, text: str, aligned: Aligned, answer: "_Answer", options: Options) -> Explanation:
        gates = None
        if options.with_gates:
            gates = [_layer_gates(layer, options.units or ()) for layer in trace(self._odds.network, aligned.ids)]
        return Explanation(
            label=self.labels[answer.label],
            score=_number(answer.probabilities[answer.label]),
            scores=self._scores(answer.probabilities),
            tokens=len(aligned.ids),
            truncated=aligned.truncated,
            attribution=self._attribution(text, aligned, answer, occlusion=options.occlusion),
            sentences=self._sentences(text[: aligned.end]) if options.sentences else None,
            gates=gates,
        )

    def _scores(self, probabilities_C: Floats) -> list[LabelScore]:
        order = (-probabilities_C).argsort(kind="stable")
        return [LabelScore(self.labels[i], _number(probabilities_C[i])) for i in order]

    def _attribution(self, text: str, aligned: Aligned, answer: "_Answer", *, occlusion: bool) -> Attribution:
        tokens = [range(i, i + 1) for i in range(len(aligned.ids))]
        without: dict[range, float] = {}
        if occlusion:
            parts = list(dict.fromkeys([*tokens, *aligned.words]))
            values = occlusions(self._odds, aligned.ids, parts, answer.label)
            without = {part: _number(value) for part, value in zip(parts, values, strict=True)}
        of = answer.attributed

        def described(part: range) -> Part:
            start, end = aligned.spans[part.start][0], aligned.spans[part.stop - 1][1]
            score = _number(of.scores[part.start : part.stop].sum())
            return Part(text[start:end], start, end, score, without.get(part))

        return Attribution(
            value=_number(of.value),
            baseline=_number(of.baseline),
            gap=_number(of.gap),
            steps=of.steps,
            tokens=[described(part) for part in tokens],
            words=[described(part) for part in aligned.words],
        )

    def _sentences(self, text: str) -> list[SentenceScore]:
        spans = split_sentences(text)
        sentences = [text[start:end] for start, end in spans]
        probabilities_NC = self._odds.probabilities(self._odds.logits([self._aligner.align(s).ids for s in sentences]))
        return [
            SentenceScore(sentence, start, end, self.labels[row.argmax()], _number(row.max()))
            for sentence, (start, end), row in zip(sentences, spans, probabilities_NC, strict=True)
        ]


@dataclass(frozen=True, slots=True)
class _Answer:
    """Results for one text: place of the label explained, all probabilities, the attribution."""

    label: int
    probabilities: Floats
    attributed: Attributed


def _layer_gates(traced: TracedLayer, units: Sequence[int]) -> LayerGates:
    states = {name: state_TH.cpu().double().numpy() for name, state_TH in traced.states_TH.items()}
    mean = Gates(**{name: _numbers(state_TH.mean(1)) for name, state_TH in states.items()})
    chosen = [
        UnitGates(unit=unit, **{name: _numbers(state_TH[:, unit]) for name, state_TH in states.items()})
        for unit in units
    ]
    return LayerGates(traced.layer, "backward" if traced.backward else "forward", mean, chosen or None)


def _number(value: float) -> float:
    return round(float(value), DECIMALS) + 0.0  # no minus zero


def _numbers(values: Floats) -> list[float]:
    return [_number(value) for value in values]

"""Compares ways to calibrate a checkpoint on labelled files, each judged on texts that it was not fitted on.

    python -m benchmarks.training.calibration checkpoints/sentiment data/*/validation.parquet

Every way divides a text's logits by a temperature T above 0, so that no answer changes. 1/T is a mean of as many
fitted numbers as the way has, weighted by what is seen of the text: nothing, its share of Chinese tokens, the
logarithm of its length, its highest probability. Each file is judged among its own labels.

"halves" fits on half of every file (at most --texts of each) and judges the other halves; "unseen" fits on the other
files and judges the whole of this one. Figures are means over --seeds random halves. "by chance" is the ECE to expect
if answers were right exactly as often as they are sure. The last table says from how many texts of each language on two
temperatures are better than one.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
import numpy.typing as npt

from model.checkpoint import load_checkpoint
from model.classifier import Classifier
from model.probabilities import probabilities
from model.tokens import chinese_tokens, share_of_tokens
from training.data.choices import allowed_labels, among, with_choices
from training.data.dataset import read_dataset
from training.evaluation.evaluate import logits_of, rules_for, truth_for
from training.metrics.calibration import calibration_error, calibration_error_by_chance, fit_temperatures
from training.metrics.decisions import Decisions, confidence
from training.metrics.scores import losses

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Texts:
    """Logits of texts and what is seen of them: shares [N, 2] that sum to 1, by the name of a property."""

    logits_NC: Floats
    truth_NC: Decisions
    shares_N2: dict[str, Floats]

    def __len__(self) -> int:
        return len(self.logits_NC)

    def take(self, places: npt.NDArray[np.int64]) -> "Texts":
        """Takes the texts at `places`."""
        shares = {name: share_N2[places] for name, share_N2 in self.shares_N2.items()}
        return Texts(self.logits_NC[places], self.truth_NC[places], shares)


def join(parts: Iterable[Texts]) -> Texts:
    """Joins the texts of several files."""
    found = list(parts)
    shares = {name: np.concatenate([part.shares_N2[name] for part in found]) for name in found[0].shares_N2}
    return Texts(
        np.concatenate([part.logits_NC for part in found]), np.concatenate([part.truth_NC for part in found]), shares
    )


def shares_by(*properties: str) -> Callable[[Texts], Floats]:
    """Shares [N, 2 ** len(properties)] of texts, one for each corner of their properties."""

    def of(texts: Texts) -> Floats:
        shares_NK = np.ones((len(texts), 1))
        for name in properties:
            shares_NK = np.einsum("nk,nj->nkj", shares_NK, texts.shares_N2[name]).reshape(len(texts), -1)
        return shares_NK

    return of


WAYS: dict[str, Callable[[Texts], Floats] | None] = {
    "none": None,
    "one": shares_by(),
    "language": shares_by("language"),
    "length": shares_by("length"),
    "confidence": shares_by("confidence"),
    "language, length": shares_by("language", "length"),
    "language, confidence": shares_by("language", "confidence"),
}

SIZES = (25, 50, 100, 200, 400, 800)
DRAWS = 60

Figures = npt.NDArray[np.float64]
"""ECE, ECE by chance, mean confidence less accuracy, and NLL of some texts."""


@click.command(help=__doc__)
@click.argument("checkpoint", type=click.Path(exists=True, path_type=Path))
@click.argument("files", type=click.Path(exists=True, dir_okay=False, path_type=Path), nargs=-1, required=True)
@click.option("--texts", type=click.IntRange(min=1), default=400, show_default=True, help="Of each file to fit on.")
@click.option("--seeds", type=click.IntRange(min=1), default=5, show_default=True, help="Random halves.")
def main(checkpoint: Path, files: tuple[Path, ...], texts: int, seeds: int) -> None:
    """Prints tables in Markdown."""
    classifier = Classifier.load(checkpoint, device="cpu")
    chinese_V = chinese_tokens(load_checkpoint(checkpoint).tokenizer)
    sets = {name_of(path): read(path, classifier, chinese_V) for path in files}
    for unseen in (False, True) if len(sets) > 1 else (False,):
        found = {name: np.mean([judge(sets, way, texts, seed, unseen) for seed in range(seeds)], 0)
                 for name, way in WAYS.items()}  # fmt: skip
        click.echo(f"\n{'unseen' if unseen else 'halves'}: ECE in percent\n")
        print_table(list(sets), found)
    print_sizes(join(sets.values()))


def name_of(path: Path) -> str:
    """Name of a set: of its file, or of its folder if the file is called after its role."""
    return path.parent.name if path.stem in ("train", "validation", "test") else path.stem


def read(path: Path, classifier: Classifier, chinese_V: npt.NDArray[np.bool_]) -> Texts:
    """Logits of the texts of a file, judged among its own labels, and what is seen of them."""
    dataset = with_choices(read_dataset(path, text_column="text", label_column="label", rules=rules_for(classifier)))
    encoded = classifier.encode(dataset.texts)
    rows = [text.ids for text in encoded]
    logits_NC = among(logits_of(classifier, encoded), allowed_labels(dataset, classifier.labels)).astype(np.float64)
    lengths_N = np.array([len(row) for row in rows])
    seen = {
        "language": share_of_tokens(chinese_V, rows),
        "length": np.log(np.maximum(lengths_N, 1)) / np.log(classifier.max_tokens),
        "confidence": probabilities(logits_NC, task=classifier.task).max(axis=1),
    }
    shares = {name: np.stack([1 - share_N, share_N], axis=1) for name, share_N in seen.items()}
    return Texts(logits_NC, truth_for(dataset, classifier), shares)


def judge(
    sets: dict[str, Texts], way: Callable[[Texts], Floats] | None, texts: int, seed: int, unseen: bool
) -> Figures:
    """Figures [sets, 4] of one way, fitted on one random half of each set."""
    rng = np.random.default_rng(seed)
    orders = {name: rng.permutation(len(found)) for name, found in sets.items()}
    ends = {name: min(texts, len(found) // 2) for name, found in sets.items()}
    halves = {name: found.take(orders[name][: ends[name]]) for name, found in sets.items()}
    whole = None if way is None or unseen else fit(halves.values(), way)
    rows = []
    for name, found in sets.items():
        judged = found if unseen else found.take(orders[name][ends[name] :])
        inverse_N: Floats = np.ones(len(judged))
        if way is not None:
            b_K = fit((half for other, half in halves.items() if other != name), way) if whole is None else whole
            inverse_N = way(judged) @ b_K
        rows.append(figures(judged, inverse_N))
    return np.array(rows)


def fit(parts: Iterable[Texts], way: Callable[[Texts], Floats]) -> Floats:
    """The inverse temperatures [K] that fit these texts."""
    texts = join(parts)
    return 1 / np.array(fit_temperatures(texts.logits_NC, texts.truth_NC, way(texts), task="single_label"))


def figures(texts: Texts, inverse_N: Floats) -> Figures:
    """Figures of texts whose logits are multiplied by `inverse_N`."""
    p_NC = probabilities(texts.logits_NC * inverse_N[:, None], task="single_label")
    sure_N, right_N = confidence(p_NC, texts.truth_NC, task="single_label")
    error, chance = calibration_error(sure_N, right_N), calibration_error_by_chance(sure_N)
    nll = losses(p_NC, texts.truth_NC, task="single_label").mean()
    return np.array([error, chance, (sure_N - right_N).mean(), nll])


def print_sizes(texts: Texts) -> None:
    """A row for each number of texts: what two temperatures change in the NLL of other texts, over random draws."""
    is_chinese_N = texts.shares_N2["language"][:, 1] >= 0.5
    languages = [np.flatnonzero(part_N) for part_N in (is_chinese_N, ~is_chinese_N)]
    click.echo("\n| texts of each language | NLL by language less NLL by one | draws in which it is higher |")
    click.echo("| ---: | ---: | ---: |")
    for size in (size for size in SIZES if 2 * size <= min(map(len, languages))):
        gains = [gain_by_language(texts, languages, size, seed) for seed in range(DRAWS)]
        click.echo(f"| {size} | {np.mean(gains):+.4f} | {np.mean(np.array(gains) > 0):.0%} |")


def gain_by_language(texts: Texts, languages: list[npt.NDArray[np.int64]], size: int, seed: int) -> float:
    """Change of the NLL of the texts left, a mean of both languages, by temperatures fitted on `size` of each."""
    rng = np.random.default_rng(seed)
    orders = [rng.permutation(places) for places in languages]
    fitted_on = texts.take(np.concatenate([order[:size] for order in orders]))
    left = [texts.take(order[size:]) for order in orders]
    ways = [(way, fit([fitted_on], way)) for way in (shares_by("language"), shares_by())]
    nll = [np.mean([figures(part, way(part) @ b_K)[3] for part in left]) for way, b_K in ways]
    return float(nll[0] - nll[1])


def print_table(names: list[str], found: dict[str, Figures]) -> None:
    """A row for each set and for the means of ECE and NLL, a column for each way."""
    chance_S = found["one"][:, 1]
    click.echo("| set | by chance | " + " | ".join(found) + " |\n| --- |" + " ---: |" * (len(found) + 1))
    for place, name in enumerate(names):
        click.echo(_row(name, [100 * chance_S[place], *(100 * way[place, 0] for way in found.values())], 1))
    click.echo(_row("mean", [100 * chance_S.mean(), *(100 * way[:, 0].mean() for way in found.values())], 2))
    gaps = [100 * np.abs(way[:, 2]).mean() for way in found.values()]
    click.echo(_row("mean size of confidence less accuracy", [0.0, *gaps], 2))
    click.echo(_row("NLL, mean", [None, *(way[:, 3].mean() for way in found.values())], 4))
    least = found["one"][:, 3]
    fewer = [float((way[:, 3] < least).sum()) for way in found.values()]
    click.echo(_row(f"sets of {len(names)} with a lower NLL than by one", [None, *fewer], 0))


def _row(name: str, values: list[float | None], digits: int) -> str:
    return f"| {name} | " + " | ".join("" if value is None else f"{value:.{digits}f}" for value in values) + " |"


if __name__ == "__main__":
    main()

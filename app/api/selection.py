"""The selection of a request: the part of each row of scores that its answer shows.

The model always scores all of its labels, and so do the cache, the metrics and a shadow; what a request names changes
its answer alone.
"""

from collections.abc import Iterable, Sequence
from typing import Annotated, NamedTuple

import msgspec

from app.core.classifier import Embedder
from app.core.errors import InvalidRequest

MAX_LISTED = 20
"""Labels that an error lists; a model may have thousands."""

Labels = Annotated[
    list[str] | None,
    msgspec.Meta(
        description="Labels of the model to choose among; all if absent. The scores of a single-label model are "
        "renormalised among them, at least two; those of a multi-label model are left as they are.",
        extra_json_schema={"minItems": 1, "uniqueItems": True},
    ),
]


MinPrecision = Annotated[
    Annotated[float, msgspec.Meta(gt=0, le=1)] | None,
    msgspec.Meta(
        description="Share of cases in which the labels given are to be right: a text of whose label the model is less "
        "sure gets null instead. One of `precisions` in `GET /models`; of others the next higher one counts."
    ),
]


class Wanted(NamedTuple):
    """The part of the scores that a request, or a line of it, asks for; see the fields of `PredictRequest`."""

    top_k: int | None = None
    labels: Sequence[str] | None = None
    min_precision: float | None = None


class Selection(NamedTuple):
    """The part of a row of scores that an answer shows.

    Attributes:
        top_k: only so many of the best labels; None for all.
        places: of the labels to choose among in a row of probabilities, rising; None for all.
        shares: whether the scores of these labels are to sum to 1.
        threshold: least probability of a label that is given.
    """

    top_k: int | None = None
    places: Sequence[int] | None = None
    shares: bool = False
    threshold: float = 0.0

    def scored(self, row: Sequence[float], labels: Sequence[str]) -> Iterable[tuple[float, str]]:
        """Pairs the score of each label to choose among, 0 to 1, with its name.

        A softmax among some of the labels is their probability over the sum of it. Where that sum is 0, the model has
        ruled all of them out and none before another: each gets the same share.

        >>> list(Selection(places=[0, 2], shares=True).scored([0.5, 0.25, 0.125], ["a", "b", "c"]))
        [(0.8, 'a'), (0.2, 'c')]
        """
        if self.places is None:
            return zip(row, labels, strict=True)
        chosen = [row[place] for place in self.places]
        if self.shares:
            total = sum(chosen)
            chosen = [score / total for score in chosen] if total else [1 / len(chosen)] * len(chosen)
        return zip(chosen, [labels[place] for place in self.places], strict=True)


_ALL = Selection()


def select(classifier: Embedder, wanted: Wanted) -> Selection:
    """Returns the selection that a request asks for, of this classifier.

    Raises:
        InvalidRequest: `labels` are not labels of the model, or one comes twice, or they are too few; the model does
            not reach `min_precision`, or not among some of its labels. The error tells a wrong label by its place,
            since it is the client's text.
    """
    top_k, named, min_precision = wanted
    if named is None and min_precision is None:
        return _ALL if top_k is None else Selection(top_k)
    places = None if named is None else _places(classifier, named)
    shares = places is not None and classifier.task == "single_label"
    if min_precision is None:
        return Selection(top_k, places, shares)
    if places is not None:
        raise InvalidRequest(
            "`min_precision` cannot stand beside `labels`: it was measured for answers among all labels."
        )
    return Selection(top_k, threshold=_threshold(classifier, min_precision))


def _places(classifier: Embedder, named: Sequence[str]) -> Sequence[int] | None:
    """Places of the labels that a request names, rising; None if they are all labels."""
    known = {label: place for place, label in enumerate(classifier.labels)}
    places: set[int] = set()
    for index, label in enumerate(named):
        place = known.get(label)
        if place is None:
            raise InvalidRequest(f"`labels[{index}]` is not a label of the model. {_listed(classifier)}")
        if place in places:
            raise InvalidRequest(f"`labels[{index}]` names `{label}` again. {_listed(classifier)}")
        places.add(place)
    if not places:
        raise InvalidRequest(f"`labels` is empty; leave it out for all labels. {_listed(classifier)}")
    if classifier.task == "single_label" and len(places) == 1:
        only = f"`labels` names `{named[0]}` alone, which would get every text; name at least two."
        raise InvalidRequest(f"{only} {_listed(classifier)}")
    return None if len(places) == len(known) else sorted(places)


def _threshold(classifier: Embedder, min_precision: float) -> float:
    """The probability from which labels are right in at least this share of cases."""
    measured = classifier.precision_thresholds
    if not measured:
        raise InvalidRequest(
            "The model was not measured for `min_precision`; `python -m training precision CHECKPOINT FILE` does it."
        )
    for found in measured:
        if found.precision >= min_precision and found.threshold is not None:
            return found.threshold
    reached = [f"{found.precision:g}" for found in measured if found.threshold is not None]
    most = f"it may be at most {reached[-1]}" if reached else "no value of it is reached"
    raise InvalidRequest(f"The model does not reach this `min_precision`: {most}; see `precisions` in GET /models.")


def _listed(classifier: Embedder) -> str:
    labels = classifier.labels
    listed = ", ".join(f"`{label}`" for label in labels[:MAX_LISTED])
    more = len(labels) - MAX_LISTED
    return f"It has {listed}" + (f" and {more} more; GET /models lists them." if more > 0 else ".")

"""The selection of a request: the part of each row of scores that its answer shows.

The model always scores all of its labels, and so do the cache, the metrics and a shadow; what a request names changes
its answer alone.
"""

from collections.abc import Iterable, Sequence
from typing import Annotated, NamedTuple

import msgspec

from app.core.classifier import Classifier
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


class Selection(NamedTuple):
    """The part of a row of scores that an answer shows.

    Attributes:
        top_k: only so many of the best labels; None for all.
        places: of the labels to choose among in a row of probabilities, rising; None for all.
        shares: whether the scores of these labels are to sum to 1.
    """

    top_k: int | None = None
    places: Sequence[int] | None = None
    shares: bool = False

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


def select(classifier: Classifier, top_k: int | None, named: Sequence[str] | None) -> Selection:
    """Returns the selection of a request that may have named labels.

    Raises:
        InvalidRequest: they are not labels of the model, or one comes twice, or they are too few. The error tells a
            wrong one by its place, since it is the client's text.
    """
    if named is None:
        return Selection(top_k)
    known = {label: place for place, label in enumerate(classifier.labels)}
    places: set[int] = set()
    for index, label in enumerate(named):
        place = known.get(label)
        if place is None:
            raise InvalidRequest(f"`labels[{index}]` is not a label of the model. {_listed(classifier)}")
        if place in places:
            raise InvalidRequest(f"`labels[{index}]` names `{label}` again. {_listed(classifier)}")
        places.add(place)
    shares = classifier.task == "single_label"
    if not places:
        raise InvalidRequest(f"`labels` is empty; leave it out for all labels. {_listed(classifier)}")
    if shares and len(places) == 1:
        only = f"`labels` names `{named[0]}` alone, which would get every text; name at least two."
        raise InvalidRequest(f"{only} {_listed(classifier)}")
    if len(places) == len(known):
        return Selection(top_k)
    return Selection(top_k, sorted(places), shares)


def _listed(classifier: Classifier) -> str:
    labels = classifier.labels
    listed = ", ".join(f"`{label}`" for label in labels[:MAX_LISTED])
    more = len(labels) - MAX_LISTED
    return f"It has {listed}" + (f" and {more} more; GET /models lists them." if more > 0 else ".")

"""What each name is to serve: a checkpoint, and perhaps a second one beside it that is on trial."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec
from pydantic import BaseModel, ConfigDict, Field


class Source(msgspec.Struct, frozen=True):
    """A checkpoint folder.

    Attributes:
        path: of the folder.
        version: that it held when this was written. Whoever has that version loaded need not read the folder.
    """

    path: str
    version: str = ""


class Plan(msgspec.Struct, frozen=True):
    """What one name is to serve.

    Attributes:
        primary: answers requests.
        candidate: on trial beside it, if there is one.
        share: of requests, 0 to 1, that the candidate takes.
        shadow: whether it only gets a copy of them, and the primary answers all the same.
    """

    primary: Source
    candidate: Source | None = None
    share: float = 0.0
    shadow: bool = False

    @property
    def sources(self) -> list[Source]:
        """One or two."""
        return [self.primary] if self.candidate is None else [self.primary, self.candidate]

    def with_versions(self, versions: Sequence[str]) -> "Plan":
        """The same, with the version of each of its sources."""
        first, *rest = (Source(s.path, version) for s, version in zip(self.sources, versions, strict=True))
        return msgspec.structs.replace(self, primary=first, candidate=rest[0] if rest else None)


Plans = dict[str, Plan]
"""By name; the first is the default of requests that name none."""


class Trial(BaseModel):
    """A second version beside a model.

    Attributes:
        path: of its checkpoint.
        share: of requests, 0 to 1.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: Path
    share: Annotated[float, Field(ge=0, le=1)]


def parse_trials(text: str) -> dict[str, Any]:
    """`NAME=PATH@SHARE,…` as fields of a `Trial` by name.

    Raises:
        ValueError: it has another form.

    >>> parse_trials("reviews=/models/b@0.1")
    {'reviews': {'path': '/models/b', 'share': '0.1'}}
    """
    trials: dict[str, Any] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, _, rest = part.partition("=")
        path, _, share = rest.rpartition("@")
        if not path or not re.fullmatch(r"0|1|[01]?\.\d+", share) or float(share) > 1:
            raise ValueError("must be NAME=PATH@SHARE, with a share from 0 to 1 such as 0.1")
        trials[name] = {"path": path, "share": share}
    return trials

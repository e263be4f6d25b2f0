"""What each name is to serve: a checkpoint, and perhaps a second one beside it that is on trial."""

import msgspec


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


Plans = dict[str, Plan]
"""By name; the first is the default of requests that name none."""

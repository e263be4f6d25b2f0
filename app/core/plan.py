"""Plans of models: the checkpoint that a name serves, and a candidate that may stand beside it."""

from collections.abc import Sequence

import msgspec

PRIMARY, CANARY, SHADOW = "primary", "canary", "shadow"


class Source(msgspec.Struct, frozen=True):
    """Checkpoint folder, and the version that was found in it.

    Attributes:
        path: of the folder.
        version: first 12 hex digits of the digest, once it is known. A process that has loaded this version need not
            read the folder.
    """

    path: str
    version: str = ""


class Candidate(msgspec.Struct, frozen=True):
    """Second version on trial beside the primary one.

    Attributes:
        source: of its checkpoint.
        share: of requests, 0 to 1, that it answers or, as a shadow, gets a copy of.
        shadow: it only gets copies; the primary version answers all requests.
    """

    source: Source
    share: float
    shadow: bool = False


class Plan(msgspec.Struct, frozen=True):
    """Versions that one name is to serve.

    Attributes:
        primary: answers requests.
        candidate: on trial beside it, if there is one.
    """

    primary: Source
    candidate: Candidate | None = None

    @property
    def roles(self) -> list[tuple[Source, str, float]]:
        """Source, role and share of each version: of requests, 0 to 1; of copies for a shadow."""
        trial = self.candidate
        if trial is None:
            return [(self.primary, PRIMARY, 1.0)]
        if trial.shadow:
            return [(self.primary, PRIMARY, 1.0), (trial.source, SHADOW, trial.share)]
        return [(self.primary, PRIMARY, 1 - trial.share), (trial.source, CANARY, trial.share)]

    @property
    def sources(self) -> list[Source]:
        """Source of each version, the primary first."""
        return [source for source, _, _ in self.roles]

    def with_versions(self, versions: Sequence[str]) -> "Plan":
        """Copy of the plan with a version for each source."""
        first, *rest = (Source(s.path, version) for s, version in zip(self.sources, versions, strict=True))
        trial = self.candidate and msgspec.structs.replace(self.candidate, source=rest[0])
        return Plan(first, trial)


Plans = dict[str, Plan]
"""Plans by name; the first is the default of requests that name none."""

"""Loaded models by name, as the routes read them; `app.deployment.deployer` alone changes what is in them."""

import asyncio
import random
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from app.batching.batcher import Batcher
from app.core.classifier import Embedder
from app.core.errors import InvalidRequest, NotReady, UnknownModel
from app.core.plan import CANARY, SHADOW, Plan, Plans, Source
from app.core.shared import SharedFolder
from app.telemetry.metrics import Metrics
from app.telemetry.models import ModelMetrics

NO_LABELS = "The model gives sentence vectors and no labels: POST /embed or /v1/embeddings."


@dataclass(frozen=True, slots=True, eq=False)
class ServedModel:
    """One version of a model: a loaded, warm classifier or embedder, and its batchers.

    Attributes:
        name: of the model.
        source: folder and version that it was loaded from.
        role: `primary`, `canary` or `shadow`.
        share: of requests, 0 to 1, that it answers; of which it gets a copy, if it is a shadow.
        classifier: what was loaded; without labels it gives vectors alone.
        batcher: of its labels; of vectors where it has none.
        vectors: batcher of its sentence vectors; the same where it has no labels.
        since: when it began to serve, in seconds since 1970.
    """

    name: str
    source: Source
    role: str
    share: float
    classifier: Embedder
    batcher: Batcher
    vectors: Batcher
    metrics: ModelMetrics
    since: float = field(default_factory=time.time)

    @property
    def version(self) -> str:
        """First 12 hex digits of the checkpoint's digest."""
        return self.classifier.version

    @property
    def batchers(self) -> list[Batcher]:
        """Each of its batchers, once."""
        return list(dict.fromkeys((self.batcher, self.vectors)))

    @property
    def state(self) -> str:
        """State of its batchers: `running` if both are."""
        return next((state for batcher in self.batchers if (state := batcher.state) != "running"), "running")

    def check_labels(self) -> None:
        """Refuses to classify by a model that gives vectors alone.

        Raises:
            InvalidRequest: it has no labels.
        """
        if not self.classifier.labels:
            raise InvalidRequest(NO_LABELS)

    @property
    def answers(self) -> float:
        """Share of requests, 0 to 1, that it answers; a shadow answers none."""
        return 0.0 if self.role == SHADOW else self.share


@dataclass(frozen=True, slots=True)
class Refusal:
    """Reason why the last attempt to load something for a name changed nothing.

    Attributes:
        at: in seconds since 1970.
        detail: without the path, which concerns only the operator.
    """

    at: float
    detail: str


@dataclass(slots=True, eq=False)
class Deployment:
    """Everything that is served, planned and refused under one name.

    Attributes:
        name: of the model.
        plan: what the name serves, or is to serve once it is loaded; None if there is no such model.
        versions: loaded ones, the primary first and then the candidate, if there is one; empty while loading.
        retiring: replaced versions that finish the requests they have, by the task that waits for it.
        refusal: of the last attempt to change it; None once it could be changed.
        refused: plan and state of its folders of that attempt: not tried again until one of them differs.
        followed: plan that the processes of this server have published and this one has reached.
    """

    name: str
    plan: Plan | None = None
    versions: list[ServedModel] = field(default_factory=list)
    retiring: "dict[asyncio.Task[None], ServedModel]" = field(default_factory=dict)
    refusal: Refusal | None = None
    refused: tuple[object, ...] | None = None
    followed: Plan | None = None

    @property
    def primary(self) -> ServedModel:
        """Version that answers what the candidate does not."""
        return self.versions[0]

    @property
    def candidate(self) -> ServedModel | None:
        """Version on trial beside the primary one."""
        return self.versions[1] if len(self.versions) > 1 else None

    @property
    def answering(self) -> list[ServedModel]:
        """Versions that answer requests: all but a shadow."""
        return [served for served in self.versions if served.role != SHADOW]

    @property
    def state(self) -> str:
        """State of the primary version; empty while loading."""
        return self.primary.state if self.versions else ""

    def forgive(self) -> None:
        """Forgets the last attempt that was refused."""
        self.refusal = self.refused = None

    def pick(self) -> ServedModel:
        """Draws the version that answers the next request; never a canary that is out of order."""
        canary = self.candidate
        if (
            canary is not None
            and canary.role == CANARY
            and random.random() < canary.share  # noqa: S311  # who answers is no secret
            and canary.state == "running"
        ):
            return canary
        return self.primary


class Registry:
    """All models of one process by name; the first is the default.

    Args:
        plans: of the models that must be loaded before the server is ready.
        metrics: asks at each scrape whether the server is ready.
        folder: tells whether the other processes of the same server are ready.
        tokenise_threads: shared by all models.

    Attributes:
        tokenisers: threads for work that would hold up the event loop.
        failure: exception that stopped loading at the start. The server then never becomes ready and should exit.
        draining: set when the process is about to exit; from then on nothing is ready.
    """

    def __init__(
        self, plans: Plans, metrics: Metrics, folder: SharedFolder | None = None, *, tokenise_threads: int
    ) -> None:
        self.tokenisers = ThreadPoolExecutor(tokenise_threads, thread_name_prefix="tokenise")
        self.failure: Exception | None = None
        self.draining = False
        self._folder = folder
        self._deployments: dict[str, Deployment] = {}
        self.expect(plans)
        metrics.process.ready.set_function(lambda: self.ready)

    def expect(self, plans: Plans) -> None:
        """Begins anew with the models to load."""
        self._deployments = {name: Deployment(name, plan) for name, plan in plans.items()}

    def entry(self, name: str) -> Deployment:
        """Deployment to change, without a plan if there is no such model: then it is the last one in order."""
        found = self._deployments.get(name)
        if found is None or found.plan is None:
            found = self._deployments[name] = self._deployments.pop(name, Deployment(name))
        return found

    @property
    def entries(self) -> list[Deployment]:
        """All deployments, with those that only hold a refusal or versions that retire."""
        return list(self._deployments.values())

    @property
    def plans(self) -> Plans:
        """Plans of all models, loaded or not; that of the default first."""
        return {name: found.plan for name, found in self._deployments.items() if found.plan is not None}

    @property
    def loaded(self) -> list[Deployment]:
        """Deployments of all loaded models."""
        return [deployment for deployment in self._deployments.values() if deployment.versions]

    @property
    def default(self) -> str:
        """Name of the model for requests that name none."""
        return next(name for name, deployment in self._deployments.items() if deployment.plan is not None)

    def get(self, name: str | None, version: str | None = None) -> ServedModel:
        """Model of that name, or the default one; of that version, or the one drawn for this request.

        Submit to it before anything else is awaited, or hold its batcher: it may be replaced at any moment.

        Raises:
            UnknownModel: no model has this name, or no version of it that answers requests has this number.
            NotReady: it is not loaded yet.
        """
        deployment = self.deployment(name)
        if version is None:
            return deployment.pick()
        for served in deployment.answering:
            if served.version == version:
                return served
        raise UnknownModel(
            "No loaded version of the model that answers requests has this number; "
            "GET /v2/models/{name} lists the versions."
        )

    def deployment(self, name: str | None) -> Deployment:
        """Deployment of that name, or the default one.

        Raises:
            UnknownModel: no model has this name.
            NotReady: it is not loaded yet.
        """
        found = self._deployments.get(self.default if name is None else name)
        if found is None or found.plan is None:
            raise UnknownModel()
        if not found.versions:
            raise NotReady("The model is being loaded.", retry_after_s=1)
        return found

    def states(self) -> dict[str, str]:
        """State of each model: `loading`, `failed`, or that of the batcher of its primary version."""
        absent = "failed" if self.failure else "loading"
        return {name: self._deployments[name].state or absent for name in self.plans}

    @property
    def ready(self) -> bool:
        """True while every model takes requests, all processes have loaded and the server is not draining."""
        here = all(state == "running" for state in self.states().values())
        return here and not self.draining and (self._folder is None or self._folder.all_loaded())

    @property
    def live(self) -> bool:
        """False once a model is beyond repair, so that the process should be replaced."""
        return self.failure is None and not {"broken", "stuck"} & set(self.states().values())

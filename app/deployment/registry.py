"""The models that this server has: finding the one that answers a request, and exchanging it while requests go on."""

import asyncio
import logging
import random
import threading
import time
from collections import defaultdict
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial

from app.batching.batcher import Batcher
from app.batching.cache import ResultCache
from app.config.settings import Settings
from app.core.classifier import Classifier
from app.core.errors import NotReady, UnknownModel
from app.core.memory import give_back
from app.core.shared import Board
from app.deployment.shadow import Shadow, shadow_limits
from app.telemetry.metrics import Metrics, ModelMetrics

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class ServedModel:
    """A loaded, warm classifier and its batcher: one version of a model.

    Attributes:
        shadow: whether it only gets copies of requests; these do not count among those of its name.
        since: when it began, in seconds since 1970.
    """

    name: str
    classifier: Classifier
    batcher: Batcher
    metrics: ModelMetrics
    shadow: bool = False
    since: float = field(default_factory=time.time)

    @property
    def version(self) -> str:
        """That of its checkpoint."""
        return self.classifier.version


@dataclass(frozen=True, slots=True)
class Deployment:
    """The versions of one name.

    Attributes:
        primary: answers what the candidate does not.
        candidate: on trial beside it, or nothing.
        share: of requests, 0 to 1, that the candidate answers; 0 if it is a shadow.
        copied: of requests, 0 to 1, of which a shadow gets a copy.
    """

    primary: ServedModel
    candidate: ServedModel | None = None
    share: float = 0.0
    copied: float = 0.0

    def pick(self) -> ServedModel:
        """Who answers the next request, by chance; never a candidate that is out of order."""
        if (
            self.share
            and random.random() < self.share  # noqa: S311  # who answers is no secret
            and self.candidate is not None
            and self.candidate.batcher.state == "running"
        ):
            return self.candidate
        return self.primary

    @property
    def versions(self) -> list[ServedModel]:
        """One or two."""
        return [self.primary] if self.candidate is None else [self.primary, self.candidate]


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why the last attempt to load something for a name changed nothing.

    Attributes:
        at: in seconds since 1970.
        detail: without the path, which is the operator's business.
    """

    at: float
    detail: str


class Registry:
    """All models by name; the first is the default.

    Args:
        names: of those that must be there before the server is ready.
        settings: of the server.
        metrics: told of each version that is ready.
        board: where other processes of the same server say whether they are.

    Attributes:
        names: as above; changed by `install` and `remove`.
        failure: why loading failed at the start, if it did. The server then never becomes ready and had better leave.
        draining: set when the process is about to leave; from then on nothing is ready.
        refusals: by name, why it could not be changed last; gone once it could.
    """

    def __init__(self, names: Iterable[str], settings: Settings, metrics: Metrics, board: Board | None = None) -> None:
        self.names = list(names)
        self.failure: Exception | None = None
        self.draining = False
        self.refusals: dict[str, Refusal] = {}
        self._settings = settings
        self._metrics = metrics
        self._board = board
        self._deployments: dict[str, Deployment] = {}
        self._retiring: dict[asyncio.Task[None], ServedModel] = {}
        self._devices: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._tokenisers = ThreadPoolExecutor(settings.tokenise_threads, thread_name_prefix="tokenise")
        metrics.watch_ready(lambda: self.ready)

    @property
    def tokenisers(self) -> ThreadPoolExecutor:
        """Threads for work that is too much for the event loop."""
        return self._tokenisers

    def get(self, name: str | None, version: str | None = None) -> ServedModel:
        """The model of that name, or the default one; of that version, or whichever it is this time.

        Submit to it before anything else is awaited, or hold its batcher: it may be replaced at any moment.

        Raises:
            UnknownModel: no model is called that, or it is not of that version.
            NotReady: it is not loaded yet.
        """
        deployment = self.deployment(name)
        if version is None:
            return deployment.pick()
        for served in deployment.versions:
            if served.version == version:
                return served
        raise UnknownModel("The model is not of this version; GET /v2/models/{name} tells of which it is.")

    def deployment(self, name: str | None) -> Deployment:
        """The versions of that name, or of the default one.

        Raises:
            UnknownModel, NotReady: as for `get`.
        """
        name = self.names[0] if name is None else name
        if deployment := self._deployments.get(name):
            return deployment
        if name in self.names:
            raise NotReady(retry_after_s=1)
        raise UnknownModel

    @property
    def deployments(self) -> dict[str, Deployment]:
        """Of each name that is loaded."""
        return {name: self._deployments[name] for name in self.names if name in self._deployments}

    def retiring(self, name: str) -> list[ServedModel]:
        """Versions that were replaced and are still at work for requests that came before."""
        return [served for served in self._retiring.values() if served.name == name]

    def states(self) -> dict[str, str]:
        """Of each model: `loading`, `failed`, or the state of the batcher of its primary version."""
        absent = "failed" if self.failure else "loading"
        return {n: self._deployments[n].primary.batcher.state if n in self._deployments else absent for n in self.names}

    @property
    def ready(self) -> bool:
        """Whether every model takes requests, the other processes have begun too, and the server means to stay."""
        here = all(state == "running" for state in self.states().values())
        return here and not self.draining and (self._board is None or self._board.all_loaded())

    @property
    def live(self) -> bool:
        """Whether it is worth keeping the process: false once something is beyond repair."""
        return self.failure is None and not {"broken", "stuck"} & set(self.states().values())

    def install(
        self,
        name: str,
        primary: Classifier,
        candidate: Classifier | None = None,
        *,
        share: float = 0.0,
        shadow: bool = False,
    ) -> None:
        """Lets these classifiers, loaded and warm, take over the name from now on.

        A version that stays keeps its batcher. One that goes finishes what it has, and is let go.
        """
        before = self._deployments.get(name)
        versions = [] if before is None else before.versions
        deployment = Deployment(
            primary=self._serve(name, primary, versions, shadow=False),
            candidate=None if candidate is None else self._serve(name, candidate, versions, shadow=shadow),
            share=0.0 if shadow else share,
            copied=share if shadow else 0.0,
        )
        if name not in self.names:
            self.names.append(name)
        self._deployments[name] = deployment
        self._mirror(deployment)
        self._tell_metrics(name, deployment)
        self._retire(served for served in versions if served not in deployment.versions)

    def remove(self, name: str) -> None:
        """Takes a name away. Requests for it that have begun are answered."""
        deployment = self._deployments.pop(name)
        self.names.remove(name)
        self.refusals.pop(name, None)
        self._metrics.unloaded(name)
        self._retire(deployment.versions)

    async def stop(self) -> None:
        """Fails what is still under way and frees the threads."""
        for task in self._retiring:
            task.cancel()
        leaving = [served for deployment in self._deployments.values() for served in deployment.versions]
        await asyncio.gather(*(served.batcher.close() for served in [*leaving, *self._retiring.values()]))
        self._tokenisers.shutdown(wait=False, cancel_futures=True)

    def _serve(self, name: str, classifier: Classifier, versions: list[ServedModel], *, shadow: bool) -> ServedModel:
        for served in versions:
            if served.classifier is classifier and served.shadow == shadow:
                return served
        # Copies are not requests: what a shadow does is told by its answers alone.
        metrics = (Metrics() if shadow else self._metrics).for_model(name, classifier.version)
        metrics.watch_answers(classifier)
        limits = self._settings.batch_limits
        batcher = Batcher(
            classifier,
            shadow_limits(classifier, limits.stuck_after_s) if shadow else limits,
            metrics,
            tokenisers=self._tokenisers,
            device=self._devices[classifier.device],
            cache=ResultCache(0 if shadow else self._settings.cache_texts),
        )
        batcher.start()
        logger.info("model ready", extra={"model": name, "version": classifier.version, "device": classifier.device})
        return ServedModel(name, classifier, batcher, metrics, shadow)

    def _mirror(self, deployment: Deployment) -> None:
        deployment.primary.batcher.mirror = None
        if deployment.candidate is None:
            return
        deployment.candidate.batcher.mirror = None
        if deployment.copied:
            deployment.primary.batcher.mirror = Shadow(
                deployment.primary.batcher,
                deployment.candidate.batcher,
                partial(self._metrics.shadowed, deployment.primary.name, deployment.candidate.version),
                share=deployment.copied,
                timeout_s=self._settings.deadline_ms / 1000,
                busy_texts=self._settings.max_batch_texts,
            )

    def _tell_metrics(self, name: str, deployment: Deployment) -> None:
        self._metrics.unloaded(name)
        batchers = [served.batcher for served in deployment.versions if not served.shadow]
        self._metrics.watch_queue(
            name,
            lambda: sum(batcher.admission.texts for batcher in batchers),
            lambda: sum(batcher.admission.tokens for batcher in batchers),
        )
        for served in deployment.versions:
            share = deployment.share if served is deployment.candidate else 1 - deployment.share
            self._metrics.loaded(name, served.version, served.classifier.device, served.classifier.dtype, share)

    def _retire(self, gone: Iterable[ServedModel]) -> None:
        for served in gone:
            served.batcher.mirror = None
            task = asyncio.get_running_loop().create_task(_let_finish(served))
            self._retiring[task] = served
            task.add_done_callback(self._retired)

    def _retired(self, task: asyncio.Task[None]) -> None:
        del self._retiring[task]  # and with it the last that knows of the classifier
        if not task.cancelled():
            self._tokenisers.submit(give_back)


async def _let_finish(served: ServedModel) -> None:
    await served.batcher.drain()
    await served.batcher.close()
    logger.info("model retired", extra={"model": served.name, "version": served.version})

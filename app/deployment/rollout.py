"""Puts loaded classifiers in front of requests, and retires the versions that they replace."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from threading import Lock

from app.batching.batcher import Batcher
from app.batching.cache import ResultCache
from app.config.sections import BatchLimits
from app.core.classifier import Embedder, Scorer, VectorScorer, classifies
from app.core.plan import SHADOW, Plan, Source
from app.deployment.registry import Deployment, Registry, ServedModel
from app.deployment.shadow import Shadow, shadow_limits
from app.telemetry.metrics import Metrics
from app.telemetry.models import ModelMetrics
from model.memory import give_back

logger = logging.getLogger(__name__)


class Rollout:
    """Changes what requests meet, on the event loop and without a wait.

    Args:
        registry: whose deployments it changes, and whose threads tokenise.
        metrics: told of each version that is ready.
        limits: of each batcher and its cache.
        shadow_timeout_s: time after which a copy for a shadow is given up.
    """

    def __init__(self, registry: Registry, metrics: Metrics, *, limits: BatchLimits, shadow_timeout_s: float) -> None:
        self._registry = registry
        self._metrics = metrics
        self._limits = limits
        self._shadow_timeout_s = shadow_timeout_s
        self._devices: dict[str, Lock] = {}

    def deploy(self, deployment: Deployment, plan: Plan, classifiers: Sequence[Embedder]) -> None:
        """Lets loaded, warm classifiers, one for each source of the plan, take over the name.

        A version that stays keeps its batcher. One that goes finishes the requests it has, and is freed.
        """
        before = deployment.versions
        deployment.versions = [
            self._serve(deployment, source, role, share, classifier)
            for (source, role, share), classifier in zip(plan.roles, classifiers, strict=True)
        ]
        deployment.plan = plan
        self._mirror(deployment)
        self._report(deployment)
        kept = [served.batcher for served in deployment.versions]
        self._retire(deployment, [served for served in before if served.batcher not in kept])

    def withdraw(self, deployment: Deployment) -> None:
        """Takes a model away. Requests for it that have begun are answered."""
        gone, deployment.versions = deployment.versions, []
        deployment.plan = deployment.followed = None
        deployment.forgive()
        self._metrics.deployments.forget(deployment.name)
        self._retire(deployment, gone)

    async def stop(self) -> None:
        """Fails the requests under way and ends the threads."""
        leaving: list[ServedModel] = []
        for deployment in self._registry.entries:
            for task in deployment.retiring:
                task.cancel()
            leaving += [*deployment.versions, *deployment.retiring.values()]
        await asyncio.gather(*(batcher.close() for served in leaving for batcher in served.batchers))
        self._registry.tokenisers.shutdown(wait=False, cancel_futures=True)

    def _serve(
        self, deployment: Deployment, source: Source, role: str, share: float, classifier: Embedder
    ) -> ServedModel:
        shadow = role == SHADOW
        for served in deployment.versions:
            if served.classifier is classifier and (served.role == SHADOW) == shadow:
                return replace(served, source=source, role=role, share=share)
        # Copies are not requests: a shadow's batcher counts for itself, and only its agreement is reported.
        counts = Metrics() if shadow else self._metrics
        limits = shadow_limits(classifier, self._limits.stuck_after_s) if shadow else self._limits
        # A vector takes kilobytes, so none is remembered.
        metrics = counts.for_model(deployment.name, classifier, of_answers=False)
        batcher = vectors = self._start(VectorScorer(classifier), limits, metrics)
        if classifies(classifier):
            metrics = counts.for_model(deployment.name, classifier)
            batcher = self._start(classifier, limits, metrics, ResultCache(0 if shadow else self._limits.cache_texts))
        extra = {"model": deployment.name, "version": classifier.version, "device": classifier.device}
        logger.info("model ready", extra=extra)
        return ServedModel(deployment.name, source, role, share, classifier, batcher, vectors, metrics)

    def _start(
        self, scorer: Scorer, limits: BatchLimits, metrics: ModelMetrics, cache: ResultCache | None = None
    ) -> Batcher:
        batcher = Batcher(
            scorer,
            limits,
            metrics,
            tokenisers=self._registry.tokenisers,
            device=self._devices.setdefault(scorer.device, Lock()),
            cache=cache,
        )
        batcher.start()
        return batcher

    def _mirror(self, deployment: Deployment) -> None:
        """Lets a shadow get copies of what the primary version is asked, and nobody else."""
        primary, candidate = deployment.primary, deployment.candidate
        for served in deployment.versions:
            served.batcher.mirror = None
        if candidate is not None and candidate.role == SHADOW and candidate.share and primary.classifier.labels:
            primary.batcher.mirror = Shadow(
                primary.batcher,
                candidate.batcher,
                partial(self._metrics.deployments.shadow_texts.labels, deployment.name, candidate.version),
                share=candidate.share,
                timeout_s=self._shadow_timeout_s,
                busy_texts=self._limits.max_batch_texts,
            )

    def _report(self, deployment: Deployment) -> None:
        name, metrics = deployment.name, self._metrics.deployments
        metrics.forget(name)
        queues = [batcher.admission for served in deployment.answering for batcher in served.batchers]
        metrics.queue_texts.labels(name).set_function(lambda: sum(queue.texts for queue in queues))
        metrics.queue_tokens.labels(name).set_function(lambda: sum(queue.tokens for queue in queues))
        for served in deployment.versions:
            metrics.set_version(name, served.version, served.classifier.device, served.classifier.dtype, served.answers)

    def _retire(self, deployment: Deployment, gone: Sequence[ServedModel]) -> None:
        for served in gone:
            served.batcher.mirror = None
            served.metrics.retire()
            task = asyncio.get_running_loop().create_task(_let_finish(served))
            deployment.retiring[task] = served
            task.add_done_callback(partial(self._retired, deployment))

    def _retired(self, deployment: Deployment, task: asyncio.Task[None]) -> None:
        del deployment.retiring[task]  # and with it the last reference to the classifier
        if not task.cancelled():
            self._registry.tokenisers.submit(give_back)


async def _let_finish(served: ServedModel) -> None:
    for batcher in served.batchers:
        await batcher.drain()
    for batcher in served.batchers:
        await batcher.close()
    logger.info("model retired", extra={"model": served.name, "version": served.version})

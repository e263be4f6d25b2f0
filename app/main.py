"""The application, assembled in one place from plain values."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from app import VERSION
from app.api.admin import admin_routes
from app.api.huggingface import hub_routes
from app.api.info import ASSETS_PATH, api_routes
from app.api.oip import infer_routes, v2_router
from app.api.openapi import DESCRIPTION, openapi_of
from app.api.openapi_forms import STRUCTS as FORMS
from app.api.openapi_forms import form_paths
from app.api.openapi_keys import require_keys
from app.api.pages import PAGE_PATH, PageFiles
from app.api.predict import predict_route
from app.api.stream import stream_route
from app.api.vllm import vllm_routes
from app.auth.accounts import Accounts
from app.config.settings import Settings
from app.core import log
from app.core.classifier import Classifier
from app.core.plan import Plan, Source
from app.core.shared import Board
from app.deployment.deployer import Deployer
from app.deployment.loader import Checkpoints, Given, Loader
from app.deployment.registry import Registry
from app.deployment.rollout import Rollout
from app.explain.endpoint import explain_route
from app.explain.openapi import STRUCTS as EXPLANATIONS
from app.explain.openapi import describe_explanations, explain_paths
from app.explain.queue import Explanations
from app.http.authorize import Guard
from app.http.problems import EXCEPTION_HANDLERS
from app.http.proxies import cross_origin, from_proxies
from app.http.request_log import Observed
from app.http.routing import NamedMount, NamedRoute, Prefixed, ShortWay
from app.process.server import exit_codes, run
from app.telemetry.event_loop import watch
from app.telemetry.metrics import Metrics
from app.telemetry.tracing import start_tracing

if TYPE_CHECKING:
    from app.telemetry.otel import Tracer


class Application(FastAPI):
    """FastAPI inside a layer of ours: middleware that is added to FastAPI would stand within its own.

    Args:
        outermost: makes that layer of all that FastAPI is.
        options: FastAPI's.
    """

    def __init__(self, outermost: Callable[[ASGIApp], ASGIApp], **options: Any) -> None:
        super().__init__(**options)
        self._outermost = outermost(super().__call__)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers as ASGI has it; what is not HTTP does not concern the layer."""
        await (self._outermost if scope["type"] == "http" else super().__call__)(scope, receive, send)


def create_app(
    settings: Settings | None = None,
    classifiers: Mapping[str, Classifier] | None = None,
    *,
    board: Board | None = None,
    load_first: bool = False,
) -> FastAPI:
    """The ASGI application. Its models load and warm up after it has started; `/health/ready` tells when.

    Args:
        settings: read from the environment if absent, so that any ASGI server can call this as a factory.
        classifiers: by name, served instead of the checkpoints that the settings name.
        board: what it shares with other processes of the same server.
        load_first: start only when the models are ready, so that no connection is taken before.

    Raises:
        SettingsError: the environment holds a wrong setting.
    """
    settings = Settings.from_env(os.environ) if settings is None else settings
    plans = settings.plans
    loader: Loader = Checkpoints(settings)
    if classifiers is not None:
        plans = {name: Plan(Source(name)) for name in classifiers}
        loader = Given(classifiers)
    tracer = start_tracing(settings.otel_endpoint)
    metrics = Metrics(board)
    metrics.tell_limits(deadline_s=settings.deadline_ms / 1000, max_queue_texts=settings.max_queue_texts)
    registry = Registry(plans, metrics, board, tokenise_threads=settings.tokenise_threads)
    rollout = Rollout(
        registry,
        metrics,
        limits=settings.batch_limits,
        cache_texts=settings.cache_texts,
        shadow_timeout_s=settings.deadline_ms / 1000,
    )
    deployer = Deployer(
        registry,
        rollout,
        loader,
        metrics,
        board,
        watch_s=settings.watch_s,
        max_batch_tokens=settings.max_batch_tokens,
    )
    explanations = Explanations(registry, settings, metrics)
    accounts = Accounts(settings.api_keys, settings.api_keys_file, metrics, board)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        deployer.start()
        watching = [asyncio.create_task(accounts.watch()), asyncio.create_task(watch(metrics))]
        if load_first:
            await deployer.loaded()
        yield
        for task in watching:
            task.cancel()
        await explanations.close()
        await deployer.stop()
        if tracer is not None:
            await tracer.close()

    direct = [
        predict_route(registry, settings),
        stream_route(registry, settings),
        *hub_routes(registry, settings),
        *vllm_routes(registry, settings),
        *([] if settings.no_explain else [explain_route(registry, explanations, settings)]),
    ]
    inferring = infer_routes(registry, settings)
    for route in (*direct, *inferring):
        metrics.expect(route.path)
    app = Application(
        partial(
            _layers,
            direct=direct,
            settings=settings,
            accounts=accounts,
            metrics=metrics,
            registry=registry,
            tracer=tracer,
        ),
        title="Sluice",
        version=VERSION,
        description=DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        exception_handlers=EXCEPTION_HANDLERS,
    )
    app.state.registry = registry
    app.state.deployer = deployer
    app.state.metrics = metrics
    app.state.explanations = explanations
    app.router.routes.extend([*direct, *inferring])
    app.include_router(v2_router(registry))
    app.include_router(api_routes(registry, metrics, settings))
    if settings.admin:
        app.include_router(admin_routes(registry, deployer, settings))
    # FastAPI's own page loads its scripts from another host; these come from the package.
    app.router.routes.append(NamedMount(ASSETS_PATH, StaticFiles(packages=[("fastapi_offline", "static")])))
    app.router.routes.append(NamedMount(PAGE_PATH, PageFiles()))

    app.openapi = _document_of(app, settings, accounts)  # type: ignore[method-assign]
    return app


def _document_of(app: FastAPI, settings: Settings, accounts: Accounts) -> Callable[[], dict[str, Any]]:
    """The OpenAPI document of what there is with these settings."""
    paths: dict[str, Any] = {} if settings.no_explain else explain_paths(settings)
    structs = FORMS if settings.no_explain else (*FORMS, *EXPLANATIONS)

    def complete(document: dict[str, Any]) -> None:
        if not settings.no_explain:
            describe_explanations(document, settings)
        if accounts:
            require_keys(document, public_metrics=settings.public_metrics)

    return openapi_of(app, settings, paths | form_paths(settings), structs, complete)


def _layers(
    app: ASGIApp,
    *,
    direct: Sequence[NamedRoute],
    settings: Settings,
    accounts: Accounts,
    metrics: Metrics,
    registry: Registry,
    tracer: "Tracer | None",
) -> ASGIApp:
    """What a request passes on its way to its route, the last one first. A layer that is off is not there."""
    guard = partial(Guard, accounts=accounts, public_metrics=settings.public_metrics)
    # Without keys nothing on the short way is guarded.
    app = guard(ShortWay(app, direct)) if accounts else ShortWay(guard(app), direct)
    if settings.root_path:
        app = Prefixed(app, settings.root_path)
    if settings.trusted_proxy:
        app = from_proxies(app, settings.trusted_proxy)
    app = Observed(app, metrics=metrics, registry=registry, tracer=tracer)
    # Outside of all, since browsers want its headers on errors too. It answers by itself what browsers ask beforehand.
    return cross_origin(app, settings.cors_origin) if settings.cors_origin else app


def work(settings: Settings, sock: socket.socket, board: Board, parent: int, replaces: bool) -> None:
    """One of several processes behind the socket; see `app.process.workers`."""
    os.setpgrp()  # Ctrl-C in a terminal reaches the parent, which passes it on
    log.configure(settings.log_level)
    with exit_codes():
        app = create_app(settings, board=board, load_first=replaces)
        run(app, settings, sock, parent=parent)
        if not app.state.registry.live:
            raise RuntimeError("a model is broken")

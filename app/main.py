"""Assembly of the ASGI application from a service."""

import os
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from functools import cache, partial
from typing import Any

from fastapi import APIRouter, FastAPI
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from app import VERSION
from app.api.admin import admin_routes
from app.api.embeddings import EmbedForm, OpenAIForm
from app.api.endpoint import ClassifyEndpoint, classify_routes
from app.api.huggingface import HuggingFaceForm
from app.api.info import ASSETS_PATH, api_routes
from app.api.oip import InferForm, v2_router
from app.api.openapi import DESCRIPTION, document_of
from app.api.pages import PAGE_PATH, PageFiles
from app.api.predict import PredictForm
from app.api.stream import stream_route
from app.api.triton import triton_router
from app.api.vllm import VllmForm
from app.config.settings import Settings
from app.core import log
from app.core.shared import SharedFolder
from app.explain.endpoint import explain_route
from app.explain.worker import explains
from app.http.authorize import Guard
from app.http.problems import EXCEPTION_HANDLERS
from app.http.proxies import cross_origin, from_proxies
from app.http.request_log import RequestLog
from app.http.routing import DirectRoutes, NamedMount, NamedRoute, RootPath
from app.process.exits import exit_codes
from app.process.server import run
from app.process.service import Service, build_service
from app.process.start import begin


class Application(FastAPI):
    """FastAPI inside our own layers: middleware added to FastAPI would stand within its own.

    Args:
        outermost: wraps the whole of FastAPI.
        options: FastAPI's.
    """

    def __init__(self, outermost: Callable[[ASGIApp], ASGIApp], **options: Any) -> None:
        super().__init__(**options)
        self._outermost = outermost(super().__call__)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers an ASGI call; only HTTP passes our layers."""
        scope["app"] = self  # as Starlette does, but these layers need its state too
        await (self._outermost if scope["type"] == "http" else super().__call__)(scope, receive, send)


def create_app(service: Service) -> FastAPI:
    """ASGI application of a service. Its models load after it has started; `/health/ready` tells when."""
    direct = _direct_routes(service)
    limits = service.settings.requests
    inferring = classify_routes(InferForm(limits.max_texts), service.registry, limits)
    for route in (*direct, *inferring):
        service.metrics.requests.expect(route.path)
    app = Application(
        partial(_layers, direct=direct, service=service),
        title="Sluice",
        version=VERSION,
        description=DESCRIPTION,
        lifespan=_lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        exception_handlers=EXCEPTION_HANDLERS,
    )
    app.state.service = service
    app.state.bounded = [route.path for route in (*direct, *inferring) if isinstance(route.endpoint, ClassifyEndpoint)]
    _add_routes(app, [*direct, *inferring], list(_routers(service)))
    # FastAPI's own page loads its scripts from another host; these come from the package.
    app.router.routes.append(NamedMount(ASSETS_PATH, StaticFiles(packages=[("fastapi_offline", "static")])))
    app.router.routes.append(NamedMount(PAGE_PATH, PageFiles()))
    public_metrics = service.settings.keys.public_metrics
    describe = partial(document_of, app, keys=bool(service.accounts), public_metrics=public_metrics)
    app.openapi = cache(describe)  # type: ignore[method-assign]
    return app


def _add_routes(app: FastAPI, routes: Sequence[NamedRoute], routers: Sequence[APIRouter]) -> None:
    app.router.routes.extend(routes)
    for router in routers:
        app.include_router(router)
    # One list: FastAPI keeps the routes of each router apart.
    app.state.routes = [*routes, *(route for router in routers for route in router.routes)]


def app_from_environment(*, load_first: bool = False) -> FastAPI:
    """Factory for any ASGI server, with the settings of the environment.

    Args:
        load_first: see `Service`.

    Raises:
        SettingsError: the environment holds a wrong setting.
    """
    return create_app(build_service(Settings.from_env(os.environ), load_first=load_first))


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    service: Service = app.state.service
    await service.start()
    yield
    await service.stop()


def _direct_routes(service: Service) -> list[NamedRoute]:
    """Routes that requests reach without FastAPI."""
    registry, settings, limits = service.registry, service.settings, service.settings.requests
    routes: list[NamedRoute] = [*classify_routes(PredictForm(), registry, limits)]
    if explains(settings.explain):
        routes.append(explain_route(registry, service.explanations, settings.explain, limits))
    routes.append(stream_route(registry, limits))
    return [
        *routes,
        *classify_routes(HuggingFaceForm(), registry, limits),
        *classify_routes(VllmForm(), registry, limits),
        *classify_routes(EmbedForm(), registry, limits),
        *classify_routes(OpenAIForm(), registry, limits),
    ]


def _routers(service: Service) -> Iterator[APIRouter]:
    yield triton_router(service.registry, service.metrics)  # before /v2/models/{name}: stats is no model there
    yield v2_router(service.registry)
    yield api_routes(service.registry, service.metrics, service.settings.requests)
    if service.settings.models.admin:
        yield admin_routes(service.registry, service.deployer, service.settings.models)


def _layers(app: ASGIApp, *, direct: Sequence[NamedRoute], service: Service) -> ASGIApp:
    """Wraps an application in the layers that are on, the innermost first."""
    network = service.settings.network
    guard = partial(Guard, accounts=service.accounts, public_metrics=service.settings.keys.public_metrics)
    # Without keys none of the direct routes is guarded.
    app = guard(DirectRoutes(app, direct)) if service.accounts else DirectRoutes(guard(app), direct)
    if network.root_path:
        app = RootPath(app, network.root_path)
    if network.trusted_proxy:
        app = from_proxies(app, network.trusted_proxy)
    app = RequestLog(app, metrics=service.metrics, registry=service.registry, tracer=service.tracer)
    # Outside of all, since browsers want its headers on errors too. It answers preflight requests by itself.
    return cross_origin(app, network.cors_origin) if network.cors_origin else app


def work(settings: Settings, sock: socket.socket, folder: SharedFolder, parent: int, replaces: bool) -> None:
    """Serves as one of several processes behind the socket; see `app.process.workers`."""
    os.setpgrp()  # Ctrl-C in a terminal reaches the parent, which passes it on
    log.configure(settings.telemetry.log_level)
    with exit_codes():
        loader, forked = begin(
            settings.models, settings.compute, settings.explain, settings.telemetry.log_level, replaces=replaces
        )
        service = build_service(settings, loader, folder=folder, load_first=replaces, forked=forked)
        run(create_app(service), service, sock, folder=folder, parent=parent, replaces=replaces)
        if not service.registry.live:
            raise RuntimeError("a model is broken")

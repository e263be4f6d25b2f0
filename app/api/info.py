"""The routes that answer from memory: health, models, metrics and the two pages.

None of them waits for the device or for a lock that computing holds.
"""

import asyncio
from datetime import UTC, datetime

from fastapi import APIRouter
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from app.api.openapi import error_responses
from app.api.pages import home_page, page, wants_page
from app.api.schemas import Health, Limits, ModelCard, ModelList, Precision, Refused, VersionCard
from app.config.sections import RequestLimits
from app.core.errors import NotReady, UnknownModel
from app.deployment.registry import Deployment, Registry, ServedModel
from app.http.routing import ReadableRoute
from app.telemetry.metrics import Metrics

ASSETS_PATH = "/docs/assets"


def api_routes(registry: Registry, metrics: Metrics, settings: RequestLimits) -> APIRouter:
    """Returns the routes that answer from memory."""
    router = APIRouter(route_class=ReadableRoute)
    not_ready = error_responses(NotReady("The server is not ready: sentiment is loading.", retry_after_s=1))

    @router.get("/models", tags=["models"], summary="List the models", responses=error_responses())
    async def list_models() -> ModelList:
        cards = [_card(deployment, settings) for deployment in registry.loaded]
        return ModelList(default=registry.default, models=cards)

    unknown = error_responses(UnknownModel(), NotReady(retry_after_s=1))

    @router.get("/models/{name}", tags=["models"], summary="Describe one model", responses=unknown)
    async def get_model(name: str) -> ModelCard:
        return _card(registry.deployment(name), settings)

    @router.get("/health/live", tags=["health"], summary="Is the process worth keeping?", responses=not_ready)
    async def live() -> Health:
        if not registry.live:
            raise NotReady(f"The server is beyond repair: {_troubles(registry)}.")
        return Health(status="live", models=registry.states())

    @router.get("/health/ready", tags=["health"], summary="Does it take traffic now?", responses=not_ready)
    async def ready() -> Health:
        if not registry.ready:
            # A process that has loaded its models may be ahead of the others of its server.
            loading = _troubles(registry) or "another worker is loading"
            reason = "it is shutting down" if registry.draining else loading
            raise NotReady(f"The server is not ready: {reason}.", retry_after_s=1)
        return Health(status="ready", models=registry.states())

    router.get("/health", tags=["health"], summary="The same as /health/ready", responses=not_ready)(ready)
    router.get("/ping", tags=["health"], summary="The same, where SageMaker asks", responses=not_ready)(ready)

    @router.get(
        "/metrics",
        tags=["health"],
        summary="Metrics for Prometheus",
        response_class=Response,
        responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}, **error_responses()},
    )
    async def scrape() -> Response:
        snapshot = metrics.snapshot()
        # Shared first: whichever process is asked next, no counter of this one goes down.
        metrics.share(snapshot)
        text = await asyncio.to_thread(metrics.render, snapshot)
        return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")

    _add_pages(router)
    return router


def _add_pages(router: APIRouter) -> None:
    """Adds the pages for people."""

    @router.get("/docs", include_in_schema=False)
    async def docs(request: Request) -> HTMLResponse:
        root = request.scope.get("root_path", "")
        swagger = get_swagger_ui_html(
            openapi_url=f"{root}/openapi.json",
            title="Sluice",
            swagger_js_url=f"{root}{ASSETS_PATH}/swagger-ui-bundle.js",
            swagger_css_url=f"{root}{ASSETS_PATH}/swagger-ui.css",
            swagger_favicon_url=f"{root}{ASSETS_PATH}/favicon.png",
            swagger_ui_parameters={"validatorUrl": None},  # else it asks a host of Swagger's for a badge
        )
        return page(bytes(swagger.body).decode())

    html = {"content": {"text/html": {"schema": {"type": "string"}}}, "description": "The page, for browsers."}
    redirect = {"description": "To /docs, for everybody else.", "headers": {"Location": {"schema": {"type": "string"}}}}

    @router.get(
        "/",
        tags=["pages"],
        summary="Show the page",
        response_class=HTMLResponse,
        responses={200: html, 307: redirect, **error_responses()},
    )
    async def home(request: Request) -> Response:
        root = request.scope.get("root_path", "")
        if wants_page(request.headers.get("accept", "")):
            return home_page(root)
        return RedirectResponse(f"{root}/docs", headers={"vary": "Accept"})


def _troubles(registry: Registry) -> str:
    return ", ".join(f"{name} is {state}" for name, state in registry.states().items() if state != "running")


def _card(deployment: Deployment, settings: RequestLimits) -> ModelCard:
    model, refusal = deployment.primary, deployment.refusal
    classifier = model.classifier
    versions = [_version(served, served.role, served.share) for served in deployment.versions]
    return ModelCard(
        name=model.name,
        version=classifier.version,
        versions=[*versions, *(_version(served, "retiring", 0) for served in deployment.retiring.values())],
        last_failure=None if refusal is None else Refused(at=_utc(refusal.at), detail=refusal.detail),
        task=classifier.task,
        labels=list(classifier.labels),
        precisions=[Precision.model_validate(found.model_dump()) for found in classifier.precision_thresholds],
        limits=Limits(max_tokens=classifier.max_tokens, **settings.model_dump()),
        device=classifier.device,
        dtype=classifier.dtype,
        vector_size=classifier.vector_size,
        state=model.state,
        metrics=dict(classifier.metrics),
    )


def _version(served: ServedModel, role: str, share: float) -> VersionCard:
    return VersionCard(version=served.version, role=role, share=share, since=_utc(served.since), state=served.state)


def _utc(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

"""Routes under `/admin`: load, replace and remove models while the server runs.

The routes exist only where the setting `admin` is on. `app.http.authorize` asks for a key of the role `admin`.
"""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from app.api.openapi import body_errors, body_of, error_responses
from app.api.schemas import Schema
from app.config.sections import ModelSettings
from app.config.values import MODEL_NAME
from app.core.errors import CheckpointRefused, Conflict, InvalidRequest, PathRefused, ServiceError, UnknownModel
from app.core.plan import Candidate, Plan, Source
from app.deployment.deployer import Deployer
from app.deployment.plans import initial_plans
from app.deployment.registry import Registry
from app.http.body import read_body
from app.http.json import Parser
from app.http.routing import ReadableRoute

MAX_BODY_BYTES = 64 * 1024

FOLLOWED = "The other processes of the server (`--workers`) follow within about a second."

DEFAULT_STAYS = "The default model can be exchanged, but not removed."

NOT_ALLOWED = "The path is neither below --models-folder nor named by --model, --canary or --shadow at the start."

NO_CANDIDATE = "The model has no candidate; PUT …/candidate adds one."

T = TypeVar("T")


class ServeRequest(msgspec.Struct, forbid_unknown_fields=True):
    """A checkpoint to serve."""

    path: Annotated[str, msgspec.Meta(description="Path of its folder, relative to the setting `models_folder`.")]


class TrialRequest(ServeRequest):
    """A checkpoint to try beside the one that is served."""

    share: Annotated[
        Annotated[float, msgspec.Meta(ge=0, le=1)],
        msgspec.Meta(description="Share of requests that it answers or gets a copy of."),
    ]
    shadow: Annotated[bool, msgspec.Meta(description="Only gets copies; the other version answers all requests.")] = (
        False
    )


class AdminVersion(Schema):
    """One version and the folder that it comes from."""

    path: str
    version: str


class AdminModel(Schema):
    """The versions that one name serves."""

    name: str
    primary: AdminVersion
    candidate: AdminVersion | None = None
    """On trial beside it."""
    share: float = 0.0
    """Share of requests sent to the candidate, 0 to 1."""
    shadow: bool = False
    """The candidate only gets copies."""


class Admin:
    """Endpoints of the routes under `/admin`."""

    def __init__(self, registry: Registry, deployer: Deployer, settings: ModelSettings) -> None:
        self._registry = registry
        self._deployer = deployer
        self._sources = Sources(settings)

    async def list_models(self) -> list[AdminModel]:
        """Lists the models with the folders that they come from."""
        return [_shown(name, plan) for name, plan in self._registry.plans.items()]

    async def serve(self, name: str, request: Request) -> AdminModel:
        """Adds a model, or exchanges its checkpoint."""
        call = await _read(ServeRequest, request, _SERVED)
        if not MODEL_NAME.fullmatch(name):
            raise InvalidRequest(
                "A model's name has up to 64 letters, digits, dots, dashes and underscores, a letter or digit first."
            )
        source = await asyncio.to_thread(self._sources.of, call.path)

        def change(plan: Plan | None) -> Plan:
            return Plan(source) if plan is None else msgspec.structs.replace(plan, primary=source)

        return _shown(name, await self._deployer.change(name, change))

    async def try_beside(self, name: str, request: Request) -> AdminModel:
        """Tries a second version beside the first; its labels must be the same."""
        call = await _read(TrialRequest, request, _TRIED)
        source = await asyncio.to_thread(self._sources.of, call.path)

        def change(plan: Plan | None) -> Plan:
            return Plan(_known(plan).primary, Candidate(source, call.share, call.shadow))

        return _shown(name, await self._deployer.change(name, change))

    async def promote(self, name: str) -> AdminModel:
        """Lets the candidate take over: it answers all requests."""
        return _shown(name, await self._deployer.change(name, lambda plan: Plan(_candidate(_known(plan)).source)))

    async def end_trial(self, name: str) -> AdminModel:
        """Takes the candidate away: the other version answers all requests."""

        def change(plan: Plan | None) -> Plan:
            _candidate(_known(plan))
            return Plan(_known(plan).primary)

        return _shown(name, await self._deployer.change(name, change))

    async def remove(self, name: str) -> Response:
        """Removes a model, but not the default one. Requests that have begun are answered."""

        def change(plan: Plan | None) -> None:
            _known(plan)
            if name == self._registry.default:
                raise Conflict(DEFAULT_STAYS)

        await self._deployer.change(name, change)
        return Response(status_code=204)


def admin_routes(registry: Registry, deployer: Deployer, settings: ModelSettings) -> APIRouter:
    """Returns the routes under `/admin`."""
    router = APIRouter(prefix="/admin", tags=["admin"], route_class=ReadableRoute)
    admin = Admin(registry, deployer, settings)
    unknown = UnknownModel()
    untold = ServiceError("The other processes of this server cannot be told: No space left on device.", 5)
    invalid = InvalidRequest("Object missing required field `path`.")
    outside = PathRefused(NOT_ALLOWED)
    refused = CheckpointRefused("Nothing has changed: model.safetensors: is not the file that was saved.")
    alone = Conflict(NO_CANDIDATE)
    serving = [*body_errors(MAX_BODY_BYTES), invalid, outside, refused, untold]
    one = "/models/{name}"
    routes: list[tuple[str, str, Callable[..., Any], str, Sequence[Exception], dict[str, Any]]] = [
        ("GET", "/models", admin.list_models, "List the models and their folders", (), {}),
        ("PUT", one, admin.serve, "Add a model or exchange its checkpoint", serving, body_of(ServeRequest)),
        ("DELETE", one, admin.remove, "Remove a model", (unknown, Conflict(DEFAULT_STAYS), untold), {}),
        (
            "PUT",
            f"{one}/candidate",
            admin.try_beside,
            "Try a second version",
            (unknown, *serving),
            body_of(TrialRequest),
        ),
        ("DELETE", f"{one}/candidate", admin.end_trial, "End the trial", (unknown, alone, untold), {}),
        ("POST", f"{one}/promote", admin.promote, "Let the candidate take over", (unknown, alone, untold), {}),
    ]
    for method, path, endpoint, summary, errors, extra in routes:
        router.add_api_route(
            path,
            endpoint,
            methods=[method],
            summary=summary,
            description=endpoint.__doc__ if method == "GET" else f"{endpoint.__doc__} {FOLLOWED}",
            status_code=204 if endpoint == admin.remove else 200,
            responses=error_responses(*errors),
            openapi_extra=extra,
        )
    return router


class Sources:
    """The folders that may be loaded: those that the settings name, and those below the folder of models."""

    def __init__(self, settings: ModelSettings) -> None:
        named = [Path(source.path) for plan in initial_plans(settings).values() for source in plan.sources]
        self._named = {path.resolve(): path for path in named}
        self._root = None if settings.folder is None else settings.folder.resolve()

    def of(self, path: str) -> Source:
        """Returns the folder at a path, without links.

        Raises:
            PathRefused: it may not be loaded, whether it exists or not.
        """
        try:
            found = (self._root or Path()).joinpath(path).resolve()
            if found in self._named:
                return Source(str(self._named[found]))
            parts = [found, *found.iterdir()] if self._root and found.is_dir() else [found]
            if self._root and all(_below(part, self._root) for part in parts):
                return Source(str(found))
        except (OSError, ValueError, RuntimeError):  # no path at all, or links in a circle
            pass
        raise PathRefused(NOT_ALLOWED)


def _below(path: Path, root: Path) -> bool:
    found = path.resolve()
    return found != root and found.is_relative_to(root)


def _known(plan: Plan | None) -> Plan:
    if plan is None:
        raise UnknownModel
    return plan


def _candidate(plan: Plan) -> Candidate:
    if plan.candidate is None:
        raise Conflict(NO_CANDIDATE)
    return plan.candidate


def _shown(name: str, plan: Plan | None) -> AdminModel:
    plan = _known(plan)
    primary, *others = [AdminVersion(path=source.path, version=source.version) for source in plan.sources]
    if plan.candidate is None:
        return AdminModel(name=name, primary=primary)
    share, shadow = plan.candidate.share, plan.candidate.shadow
    return AdminModel(name=name, primary=primary, candidate=others[0], share=share, shadow=shadow)


_SERVED = {"path": "sentiment-2"}
_TRIED = {**_SERVED, "share": 0.1}


async def _read(kind: type[T], request: Request, example: dict[str, Any]) -> T:
    return Parser(kind, example).parse(await read_body(request.scope, request.receive, MAX_BODY_BYTES))

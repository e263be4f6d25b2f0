"""Values of settings: their form as one string, and the rules that each obeys by itself.

`app.config.sections` says what they are for. Errors are `ValueError`, as pydantic has its validators raise them.
"""

import ipaddress
import re
from pathlib import Path
from typing import Annotated, Any, NamedTuple
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field

MODEL_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")

TRACES_PATH = "/v1/traces"
"""Where a collector takes them. Source: OTLP specification, OTLP/HTTP request."""

DAY_S = 86_400
"""Most seconds of any setting: a wait that never ends is a mistake."""

MIN_INTERVAL_S = 0.1

_ORIGIN = re.compile(r"https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?|https?://\[[0-9a-fA-F:]+\](:[0-9]{1,5})?")


class Trial(NamedTuple):
    """Second version beside a model, as a setting names it.

    Attributes:
        path: of its checkpoint.
        share: of requests, 0 to 1.
    """

    path: Path
    share: Annotated[float, Field(ge=0, le=1)]


def _parts(value: str) -> tuple[str, ...]:
    return tuple(filter(None, (part.strip() for part in value.split(","))))


def parse_models(value: Any) -> Any:
    """`NAME=PATH,PATH,…` as a mapping; a path alone is named after its folder.

    >>> parse_models("en=/models/a, /models/zh")
    {'en': '/models/a', 'zh': '/models/zh'}
    """
    if not isinstance(value, str):
        return value
    models: dict[str, str] = {}
    for part in _parts(value):
        name, separator, path = part.partition("=")
        if not separator:
            name, path = Path(part).resolve().name, part
        if not path.strip():
            raise ValueError(f"{part} names no folder; write NAME=FOLDER, or only FOLDER")
        if name in models:
            raise ValueError(f"the name {name} is given twice; give each model a name of its own: NAME=FOLDER")
        models[name] = path
    return models


def _check_names(models: dict[str, Path]) -> dict[str, Path]:
    if not models:
        raise ValueError("there must be at least one model")
    for name in models:
        if not MODEL_NAME.fullmatch(name):
            raise ValueError(f"{name!r} cannot name a model; use letters, digits, dot, dash and underscore")
    return models


def parse_list(value: Any) -> Any:
    """Splits a string at its commas.

    >>> parse_list("a, b,")
    ('a', 'b')
    """
    return _parts(value) if isinstance(value, str) else value


def _check_origins(origins: tuple[str, ...]) -> tuple[str, ...]:
    for origin in origins:
        if origin != "*" and not _ORIGIN.fullmatch(origin):
            raise ValueError(f"{origin!r} is not an origin such as https://example.org, without a path")
        sent = re.sub(r"^(http://.*):80$|^(https://.*):443$", r"\1\2", origin.lower())
        if origin != sent:
            raise ValueError(f"{origin!r} is no page's: browsers send it as {sent}; write it so")
    if "*" in origins and len(origins) > 1:
        raise ValueError("* allows every origin already: leave out the others")
    return origins


def _check_networks(networks: tuple[str, ...]) -> tuple[str, ...]:
    for network in networks:
        try:
            ipaddress.ip_network(network)
        except ValueError as error:
            raise ValueError(f"not an address or a network: {error}") from None
    return networks


def _check_prefix(prefix: str) -> str:
    if not re.fullmatch(r"(/[A-Za-z0-9._~-]+)*", prefix):
        raise ValueError("must begin with a slash and not end with one, such as /classifier")
    return prefix


def _check_interval(seconds: float) -> float:
    """Less than a tenth of a second would keep a processor busy with looking."""
    if seconds != 0 and not MIN_INTERVAL_S <= seconds <= DAY_S:
        raise ValueError(f"must be from {MIN_INTERVAL_S} to {DAY_S} seconds, or 0 for never")
    return seconds


def _check_device(device: str) -> str:
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", device):
        raise ValueError("must be auto, cpu, cuda or cuda:N")
    return device


def traces_url(endpoint: str) -> str:
    """A collector's URL, with the path for traces if it has none.

    >>> traces_url("http://collector:4318")
    'http://collector:4318/v1/traces'
    """
    parts = urlsplit(endpoint)
    # To ask for the port raises a ValueError that tells if it is none.
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0:
        raise ValueError("must be the URL of a collector, such as http://collector:4318")
    if parts.username is not None:
        raise ValueError("must hold no secret; OTEL_EXPORTER_OTLP_HEADERS is for those")
    return endpoint if parts.path.strip("/") else f"{endpoint.rstrip('/')}{TRACES_PATH}"


def parse_trials(value: Any) -> Any:
    """`NAME=PATH@SHARE,…` as the two values of a `Trial` by name.

    Raises:
        ValueError: it has another form, or a name twice.

    >>> parse_trials("reviews=/models/b@0.1")
    {'reviews': ('/models/b', '0.1')}
    """
    if not isinstance(value, str):
        return value
    trials: dict[str, Any] = {}
    for part in _parts(value):
        name, _, rest = part.partition("=")
        path, _, share = rest.rpartition("@")
        if not path or not re.fullmatch(r"0|1|[01]?\.\d+", share) or float(share) > 1:
            raise ValueError("must be NAME=PATH@SHARE, with a share from 0 to 1 such as 0.1")
        if name in trials:
            raise ValueError(f"{name} is given twice; a model can have one second version at a time")
        trials[name] = path, share
    return trials


Count = Annotated[int, Field(ge=1)]
Threads = Annotated[int, Field(ge=1, le=1024)]
Seconds = Annotated[float, Field(ge=0, le=DAY_S)]
PositiveSeconds = Annotated[float, Field(gt=0, le=DAY_S)]
WholeSeconds = Annotated[int, Field(ge=0, le=DAY_S)]
Milliseconds = Annotated[int, Field(ge=1, le=1000 * DAY_S)]
Interval = Annotated[float, AfterValidator(_check_interval)]
ModelPaths = Annotated[dict[str, Path], BeforeValidator(parse_models), AfterValidator(_check_names)]
Trials = Annotated[dict[str, Trial], BeforeValidator(parse_trials)]
Origins = Annotated[tuple[str, ...], BeforeValidator(parse_list), AfterValidator(_check_origins)]
Networks = Annotated[tuple[str, ...], BeforeValidator(parse_list), AfterValidator(_check_networks)]
PathPrefix = Annotated[str, AfterValidator(_check_prefix)]
DeviceName = Annotated[str, AfterValidator(_check_device)]
Endpoint = Annotated[str, AfterValidator(traces_url)]

"""Pages of other origins, proxies, and what browsers are told."""

import base64
import hashlib
import json
import logging
import re

import httpx2
import pytest
from starlette.types import Receive, Scope, Send

from app.http.excess import EXCESS
from tests.app.conftest import FakeClassifier, app_of, made, serve, service_of
from tests.app.http.test_request_log import lines

pytestmark = pytest.mark.anyio

ORIGIN = "https://example.org"


async def test_other_origins_are_shut_out_by_default(classifier: FakeClassifier) -> None:
    async with serve(classifier) as client:
        answer = await client.post("/predict", json={"inputs": "a"}, headers={"Origin": ORIGIN})
        preflight = await client.options(
            "/predict", headers={"Origin": ORIGIN, "Access-Control-Request-Method": "POST"}
        )
    assert answer.status_code == 200
    assert preflight.status_code == 405
    assert not [name for r in (answer, preflight) for name in r.headers if name.startswith("access-control")]


async def test_a_named_origin_may_ask_and_no_other(classifier: FakeClassifier) -> None:
    user, line = made()
    async with serve(classifier, cors_origin=f"{ORIGIN},http://localhost:3000", api_keys=line) as client:
        for origin, allowed in ((ORIGIN, ORIGIN), ("https://example.org.evil.net", None), ("null", None)):
            asks = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
            preflight = await client.options("/predict", headers={"Origin": origin} | asks)
            # Without a key, as browsers send it.
            assert preflight.status_code == (200 if allowed else 400)
            assert preflight.headers.get("access-control-allow-origin") == allowed
            for headers, status in (({}, 401), (user, 200)):
                answer = await client.post("/predict", json={"inputs": "a"}, headers={"Origin": origin} | headers)
                assert answer.status_code == status
                assert answer.headers.get("access-control-allow-origin") == allowed
                assert "Origin" in answer.headers["vary"]
                assert "access-control-allow-credentials" not in answer.headers
        # Of a vector only a header tells the version; a page of another origin reads those that are named.
        answer = await client.post("/embed", json={"inputs": "a"}, headers={"Origin": ORIGIN} | user)
        exposed = answer.headers["access-control-expose-headers"].lower().split(", ")
        assert "x-model-version" in answer.headers.keys() & set(exposed)
        cookies = {"Access-Control-Request-Method": "DELETE", "Access-Control-Request-Headers": "cookie"}
        assert (await client.options("/predict", headers={"Origin": ORIGIN} | cookies)).status_code == 400


@pytest.mark.parametrize("route", ["/v1/classify", "/v2/models/{name}/infer"])
async def test_a_page_may_read_that_its_request_was_one_too_many(classifier: FakeClassifier, route: str) -> None:
    async with serve(classifier, cors_origin=ORIGIN) as client:
        application = app_of(client)

        async def full(scope: Scope, receive: Receive, send: Send) -> None:
            await application({**scope, EXCESS: True}, receive, send)

        browser = httpx2.AsyncClient(transport=httpx2.ASGITransport(full), base_url="http://a")
        answer = await browser.post(route.format(name="sentiment"), json={}, headers={"Origin": ORIGIN})
        counted = service_of(client).metrics.requests.refused(route).value
    assert (answer.status_code, answer.headers["retry-after"], counted) == (503, "1", 1)
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    assert answer.headers["x-request-id"]


@pytest.mark.parametrize(
    ("trusted", "forwarded", "client_address"),
    [
        ("", "203.0.113.7", "127.0.0.1"),
        ("10.0.0.0/8", "203.0.113.7", "127.0.0.1"),
        ("127.0.0.1", "203.0.113.7", "203.0.113.7"),
        # What the client wrote itself stands to the left of what the proxies wrote.
        ("127.0.0.0/8,10.0.0.0/8", "198.51.100.9, 203.0.113.7, 10.1.2.3", "203.0.113.7"),
        ("127.0.0.1", "2001:db8::7", "2001:db8::7"),
        ("127.0.0.1", "CANARY", None),
    ],
)
async def test_the_address_is_that_of_the_client_only_if_a_trusted_proxy_says_so(
    classifier: FakeClassifier,
    caplog: pytest.LogCaptureFixture,
    trusted: str,
    forwarded: str,
    client_address: str | None,
) -> None:
    with caplog.at_level(logging.INFO, "app.request"):
        async with serve(classifier, trusted_proxy=trusted) as client:
            answer = await client.post("/predict", json={"inputs": "a"}, headers={"X-Forwarded-For": forwarded})
    assert answer.status_code == 200
    (line,) = (line for line in lines(caplog) if line["logger"] == "app.request")
    assert line.get("client") == client_address
    assert "CANARY" not in json.dumps(lines(caplog))


async def test_the_page_runs_its_own_scripts_and_no_others(classifier: FakeClassifier) -> None:
    async with serve(classifier) as client:
        answer = await client.get("/docs")
        assets = re.findall(r'(?:src|href)="([^"]+)"', answer.text)
        assert len(assets) == 3
        for asset in assets:
            assert asset.startswith("/docs/assets/")
            assert (await client.get(asset)).headers["x-content-type-options"] == "nosniff"
    policy = dict(part.strip().partition(" ")[::2] for part in answer.headers["content-security-policy"].split(";"))
    assert policy["default-src"] == policy["frame-ancestors"] == "'none'"
    (script,) = re.findall(r"<script>(.*?)</script>", answer.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert policy["script-src"] == f"'self' 'sha256-{digest}'"
    assert not re.search(r"\son[a-z]+=", answer.text), "a handler in an attribute would not run"
    assert answer.headers["x-content-type-options"] == "nosniff"

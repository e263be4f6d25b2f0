"""Tests the roles that routes ask of a key."""

import json

import pytest

from tests.app.conftest import FakeClassifier, made, make_app, make_settings, serve

pytestmark = pytest.mark.anyio


async def test_each_route_wants_its_role(classifier: FakeClassifier) -> None:
    (user, a), (scraper, b), (admin, c) = made("user"), made("scraper", roles="metrics"), made("chief", roles="admin")
    async with serve(classifier, api_keys=f"{a};{b};{c}") as client:
        body = {"inputs": "a"}
        for path in ("/health", "/health/live", "/health/ready", "/ping", "/v2/health/ready", "/docs", "/openapi.json"):
            assert (await client.get(path)).status_code == 200, path
        for headers, predict, metrics, manage in (
            ({}, 401, 401, 401),
            ({"Authorization": "Bearer sluice_wrong"}, 401, 401, 401),
            ({"Authorization": "Basic dXNlcjpwdw=="}, 401, 401, 401),
            (user, 200, 403, 403),
            (scraper, 403, 200, 403),
            (admin, 403, 403, 404),
            ({"X-API-Key": user["Authorization"][7:], "Authorization": "Basic dXNlcjpwdw=="}, 200, 403, 403),
            ({"X-API-Key": "wrong"} | user, 401, 401, 401),
            ({"Authorization": user["Authorization"].replace("Bearer", "bearer ")}, 200, 403, 403),
        ):
            assert (await client.post("/predict", json=body, headers=headers)).status_code == predict, headers
            assert (await client.get("/models", headers=headers)).status_code == predict, headers
            assert (await client.get("/metrics", headers=headers)).status_code == metrics, headers
            assert (await client.post("/admin/models", headers=headers)).status_code == manage, headers
        # What there is not is no secret to be told to those without a key.
        assert (await client.get("/nothing/here")).status_code == 401
        assert (await client.post("/", json=body)).status_code == 401
        refused = await client.post("/predict", json=body)
        assert refused.json()["error_type"] == "unauthorized"
        assert refused.headers["www-authenticate"] == 'Bearer realm="sluice"'
        assert refused.headers["x-request-id"]
        of_v2 = await client.get("/v2/models/sentiment")
        assert (of_v2.status_code, set(of_v2.json())) == (401, {"error"})


async def test_without_keys_all_is_open_but_administration(classifier: FakeClassifier) -> None:
    async with serve(classifier) as client:
        assert (await client.post("/predict", json={"inputs": "a"}, headers={"X-API-Key": "any"})).status_code == 200
        assert (await client.get("/metrics")).status_code == 200
        for path in ("/admin", "/admin/models", "/admin/"):
            refused = await client.post(path, headers={"X-API-Key": "any"})
            assert (refused.status_code, refused.json()["error_type"]) == (403, "forbidden")
            assert "--admin" in refused.json()["detail"]
        assert (await client.get("/administration")).status_code == 404


async def test_a_refusal_is_counted_under_its_route(classifier: FakeClassifier) -> None:
    (slow, a), (scraper, b) = made("slow", rate="0.001", burst="1"), made("scraper", roles="metrics")
    async with serve(classifier, api_keys=f"{a};{b}", root_path="/api") as client:
        for path in ("/predict", "/predict", "/api/v2/models/sentiment/infer", "/nothing"):
            await client.post(path, json={"inputs": "a"}, headers=slow)
        await client.get("/predict")
        await client.get("/models/sentiment")
        metrics = (await client.get("/metrics", headers=scraper)).text
    for method, route, status in (
        ("POST", "/predict", 200),
        ("POST", "/predict", 429),
        ("POST", "/v2/models/{name}/infer", 429),
        ("POST", "unmatched", 429),
        ("GET", "/predict", 401),
        ("GET", "/models/{name}", 401),
    ):
        assert f'sluice_http_requests_total{{method="{method}",route="{route}",status="{status}"}} 1.0' in metrics


async def test_metrics_can_be_public(classifier: FakeClassifier) -> None:
    async with serve(classifier, api_keys=made()[1], public_metrics=True) as client:
        assert (await client.get("/metrics")).status_code == 200
        assert (await client.get("/models")).status_code == 401


async def test_a_prefix_hides_no_route_from_its_role(classifier: FakeClassifier) -> None:
    user, line = made()
    async with serve(classifier, api_keys=line, root_path="/api") as client:
        for path in ("/api/admin/models", "/admin/models", "/api/admin"):
            assert (await client.post(path, headers=user)).status_code == 403, path
        assert (await client.get("/api/metrics", headers=user)).status_code == 403
        assert (await client.post("/api/api/admin/models", headers=user)).status_code == 404
        for path in ("/api/predict", "/predict"):
            assert (await client.post(path, json={"inputs": "a"}, headers=user)).status_code == 200, path
            assert (await client.post(path, json={"inputs": "a"})).status_code == 401, path
        assert (await client.get("/api/health/ready")).status_code == 200
        other = await client.post("/predict", json={"text": "a"}, headers=user)  # the proxy has cut the prefix off
        assert "/api/predict -d" in other.json()["detail"]
        assert "/api/openapi.json" in (await client.get("/api/docs")).text
        assert (await client.get("/api/openapi.json")).json()["servers"] == [{"url": "/api"}]


def test_the_document_says_what_needs_a_key() -> None:
    document = make_app(make_settings(api_keys=made()[1]), {"sentiment": FakeClassifier()}).openapi()
    assert set(document["components"]["securitySchemes"]) == {"bearer", "header"}
    predict = document["paths"]["/predict"]["post"]
    assert predict["security"] == [{"bearer": []}, {"header": []}]
    assert {"401", "403", "429"} <= set(predict["responses"])
    assert document["paths"]["/health/ready"]["get"]["security"] == []
    of_v2 = document["paths"]["/v2/models/{name}/infer"]["post"]["responses"]["401"]["content"]
    assert of_v2["application/json"]["schema"] == {"$ref": "#/components/schemas/V2Error"}
    plain = make_app(make_settings(), {"sentiment": FakeClassifier()}).openapi()
    assert "securitySchemes" not in json.dumps(plain)

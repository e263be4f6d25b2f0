"""HEAD wherever GET is, and methods that a path does not take, against a real server process."""

import http.client

import pytest

from tests.app.http.conftest import HEADERS
from tests.app.process.test_connections import connect, rest

READABLE = [
    *("/", "/docs", "/openapi.json", "/docs/assets/swagger-ui.css", "/page/base.css", "/nothing", "/page/nothing"),
    *("/models", "/models/tiny", "/models/none", "/metrics", "/admin/models"),
    *("/health", "/health/live", "/health/ready", "/ping"),
    *("/v2", "/v2/health/live", "/v2/health/ready", "/v2/models/tiny", "/v2/models/tiny/ready", "/v2/models/none"),
]
UNREADABLE = ["/predict", "/predict/stream", "/explain", "/invocations", "/classify", "/embed", "/v2/models/tiny/infer"]


def asked(url: str, method: str, path: str, accept: str = "*/*") -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body; two requests on the connection, so that a body too many would be seen."""
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=30)
    answers = []
    for _ in range(2):
        connection.request(method, path, headers={**HEADERS, "Accept": accept})
        answer = connection.getresponse()
        answers.append((answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()))
    connection.close()
    assert answers[0][0] == answers[1][0]
    return answers[0]


@pytest.mark.parametrize("accept", ["*/*", "text/html"])
def test_head_answers_as_get_without_the_body(address: str, accept: str) -> None:
    for path in READABLE:
        status, headers, body = asked(address, "GET", path, accept)
        head_status, head_headers, head_body = asked(address, "HEAD", path, accept)
        assert (head_status, head_body) == (status, b""), path
        assert head_headers.keys() == headers.keys(), path
        assert head_headers["content-type" if body else "content-length"], path
        if path != "/metrics":
            assert head_headers["content-length"] == headers["content-length"], path


def test_head_is_refused_where_there_is_no_get(address: str) -> None:
    for path in UNREADABLE:
        status, headers, body = asked(address, "HEAD", path)
        assert (status, headers["allow"], body) == (405, "POST", b"")


@pytest.mark.parametrize(
    ("path", "allow"),
    [
        ("/", "GET, HEAD, POST"),
        ("/predict", "POST"),
        ("/explain", "POST"),
        ("/models", "GET, HEAD"),
        ("/models/none", "GET, HEAD"),
        ("/metrics", "GET, HEAD"),
        ("/openapi.json", "GET, HEAD"),
        ("/docs", "GET, HEAD"),
        ("/docs/assets/swagger-ui.css", "GET, HEAD"),
        ("/page/base.css", "GET, HEAD"),
        ("/page/predict", "GET, HEAD"),
        ("/v2/models/tiny/versions/1/infer", "POST"),
        ("/admin/models", "GET, HEAD"),
        ("/admin/models/tiny", "DELETE, PUT"),
        ("/admin/models/tiny/candidate", "DELETE, PUT"),
        ("/admin/models/tiny/promote", "POST"),
    ],
)
def test_a_refused_method_is_told_which_there_are(address: str, path: str, allow: str) -> None:
    refused = 0
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PURGE"):
        if method not in allow.split(", "):
            status, headers, body = asked(address, method, path)
            assert (status, headers.get("allow")) == (405, allow), method
            assert b"method_not_allowed" in body
            refused += 1
    assert refused >= 5


def test_the_log_names_the_route_of_a_head(address: str) -> None:
    asked(address, "HEAD", "/models/tiny")
    lines = asked(address, "GET", "/metrics")[2].decode().splitlines()
    assert any('method="HEAD",route="/models/{name}",status="200"' in line for line in lines)


def test_nothing_follows_the_head(address: str) -> None:
    with connect(address) as connection:
        connection.sendall(b"HEAD /health/ready HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        assert rest(connection).endswith(b"\r\n\r\n")

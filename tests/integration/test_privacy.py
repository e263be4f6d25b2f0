"""A word that clients send in every place must come out nowhere: not in logs, errors, metrics or the document."""

import json
import socket
from pathlib import Path

import httpx2

from app.auth.keys import new_key
from tests.app.process.test_server import process, wait_ready

WORD = "Zyzzyva7"

HEADERS = (
    *("User-Agent", "Referer", "Cookie", "Origin", "X-Forwarded-For", "X-Forwarded-Proto", "Accept", "Content-Type"),
    *("Traceparent", "Tracestate", "X-Amzn-Trace-Id", "Via", f"X-{WORD}"),
)


def test_nothing_that_a_client_sends_is_seen_again(tiny_checkpoint: Path, tmp_path: Path) -> None:
    secret, key = new_key("owner", ["roles=predict,metrics,admin"])
    log, keys = tmp_path / "log", tmp_path / "keys"
    keys.write_text(key.line())
    options = ("--log-level", "debug", "--trusted-proxy", "127.0.0.1", "--cors-origin", "https://example.org")
    limits = ("--max-chars", "1000", "--max-texts", "3", "--explain-deadline-ms", "3000", "--api-keys-file", str(keys))
    seen = []
    with process(log, "--model", f"tiny={tiny_checkpoint}", *options, *limits) as (_, url):
        wait_ready(url)
        headers = {"Authorization": f"Bearer {secret}"}
        marked = dict.fromkeys(HEADERS, WORD)
        with httpx2.Client(base_url=url, headers=headers | marked, timeout=60) as client:
            for body in _bodies():
                for path in (
                    "/predict",
                    "/",
                    "/classify",
                    "/embed",
                    "/v2/models/tiny/infer",
                    "/predict/stream",
                    "/explain",
                ):
                    seen.append(client.post(path, content=body))
            for more in (
                {"X-Request-Timeout-Ms": WORD},
                {"Content-Encoding": WORD},
                {"Inference-Header-Content-Length": WORD},
                {"Authorization": f"Bearer {WORD}"},
                {"Authorization": f"Basic {WORD}"},
                {"X-API-Key": WORD},
                {"X-Request-Id": f"{WORD} not fit to be one"},
                {"Host": WORD},
            ):
                seen.append(client.post("/predict", json={"inputs": WORD}, headers=more))
                seen.append(client.post("/v2/models/tiny/infer", json={"inputs": WORD}, headers=more))
            for path in ("", "/models/", "/v2/models/", "/admin/", "/docs/assets/", "/health/", "/predict?q="):
                for method in ("GET", "POST", "DELETE", "OPTIONS", WORD.upper()):
                    seen.append(client.request(method, f"{path or '/'}{WORD}?{WORD}={WORD}"))
            seen += [client.get(path) for path in ("/metrics", "/openapi.json", "/models", "/health")]
        raw = _raw(
            url,
            f"{WORD} / HTTP/1.1\r\n\r\n",
            f"GET /{WORD} HTTP/9\r\n{WORD}\r\n\r\n",
            f"GET / HTTP/1.1\r\n{WORD}\r\n\r\n",
        )
    statuses = {answer.status_code for answer in seen}
    assert {200, 400, 401, 404, 405, 413, 415, 422} <= statuses
    # Explanations are computed at a low priority: on a busy machine they may miss their deadline.
    assert not [answer for answer in seen if answer.status_code >= 500 and answer.url.path != "/explain"]
    assert statuses <= {200, 204, 400, 401, 403, 404, 405, 413, 415, 422, 503, 504}
    written = log.read_text()
    # The parser refuses a method that it does not know, before there is a request to log.
    assert written.count('"message":"request"') >= sum(answer.request.method != WORD.upper() for answer in seen)
    for where, text in {
        "log": written,
        "bodies": "\n".join(answer.text for answer in seen if not _explains(answer)),
        "headers": "\n".join(str(answer.headers) for answer in seen),
        "raw answers": raw,
    }.items():
        lowered = text.lower()
        assert WORD.lower() not in lowered, (where, text[max(0, lowered.index(WORD.lower()) - 300) :][:400])
        assert secret not in text, where
        assert key.digest.hex() not in text, where
    assert '"key":"owner"' in written


def _explains(answer: httpx2.Response) -> bool:
    """True for an explanation, which shows the sender its own words."""
    return answer.url.path == "/explain" and answer.status_code == 200


def _bodies() -> list[bytes]:
    good = {"inputs": WORD, "input": WORD, "model": "tiny"}
    values = [
        {"inputs": WORD},
        {"input": WORD},
        {"inputs": [WORD, WORD * 200]},
        {"inputs": [WORD] * 4},
        {"input": [WORD] * 4},
        {"inputs": WORD, "model": WORD},
        {"input": WORD, "model": WORD},
        {"inputs": WORD, f"{WORD}, which is no name of a field": 1},
        {"inputs": {WORD: WORD}},
        {"inputs": WORD, "labels": [WORD]},
        {"inputs": WORD, "labels": ["negative", WORD]},
        {"inputs": WORD, "parameters": {"function_to_apply": WORD}},
        {"inputs": [{"name": WORD, "shape": [1], "datatype": WORD, "data": [WORD]}]},
        {"inputs": [{"name": "text", "shape": [1], "datatype": "BYTES", "data": [WORD]}], "outputs": [{"name": WORD}]},
        [WORD],
        good,
    ]
    broken = [WORD.encode(), f'{{"{WORD}'.encode(), WORD.encode() + b"\xff"]
    return [json.dumps(value).encode() for value in values] + broken


def _raw(url: str, *requests: str) -> str:
    """Sends malformed HTTP and returns the answers of the server."""
    host, port = url.removeprefix("http://").split(":")
    answers = ""
    for request in requests:
        with socket.create_connection((host, int(port)), timeout=10) as connection:
            connection.sendall(request.encode())
            answer = connection.recv(65536).decode()
        assert answer.startswith("HTTP/1.1 4"), request
        answers += answer
    return answers

"""A body that has another form than the route's is answered with the call to copy, which then works."""

import json
import shlex
import shutil
import subprocess

import httpx2
import pytest

from app.core.errors import InvalidJson, InvalidRequest, NotReady
from app.http.example_call import curl_of, with_example
from tests.app.http.conftest import HEADERS

ROUTES = {
    "/predict": "predictions",
    "/": "label",
    "/invocations": "label",
    "/classify": "data",
    "/v1/classify": "data",
    "/v1/embeddings": "data",
    "/v2/models/tiny/infer": "outputs",
}
EMPTY = [("POST", "/explain"), ("PUT", "/admin/models/other"), ("PUT", "/admin/models/tiny/candidate")]
"""Further routes that need a body."""

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
PARTS = {"Content-Type": "multipart/form-data; boundary=X"}
OTHER: dict[str, tuple[bytes, dict[str, str]]] = {
    "form": (b"text=a+good+film", FORM),
    "form with JSON inside": (b"payload=%7B%22inputs%22%3A%22a%22%7D", FORM),
    "form of lists": (b"inputs[]=a&inputs[]=b", FORM),
    "multipart": (b'--X\r\nContent-Disposition: form-data; name="text"\r\n\r\na good film\r\n--X--\r\n', PARTS),
    "text": (b'{"text": "a good film"}', {}),
    "texts": (b'{"texts": ["a good film"]}', {}),
    "sentence": (b'{"sentence": "a", "model": "tiny"}', {}),
    "instances": (b'{"instances": [{"text": "a"}]}', {}),
    "list": (b'["a good film", "a bad one"]', {}),
    "string": (b'"a good film"', {}),
    "null": (b"null", {}),
    "plain": ("很好看的电影".encode(), {"Content-Type": "text/plain"}),
    "XML": (b"<text>a good film</text>", {}),
    "latin-1": (b"caf\xe9", {}),
    "shell": (b"'{inputs: a}'", {}),
    "nothing": (b"", {}),
    "nothing, with a type": (b"", FORM),
    "line breaks": (b"\r\n\r\n", {}),
    "a mark alone": (b"\xef\xbb\xbf", {}),
}


FIELDS = "`inputs`, `model`, `top_k`, `labels` and `min_precision`"


@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize("name", OTHER)
def test_the_line_to_copy_is_there(address: str, path: str, name: str) -> None:
    body, headers = OTHER[name]
    answer = httpx2.post(address + path, content=body, headers={**HEADERS, **headers}, timeout=60)
    assert answer.status_code in (400, 422)
    sentence, _, line = answer.json()["error"].partition(" Send, for example: ")
    assert sentence.endswith(".")
    if not body.strip(b"\r\n\xef\xbb\xbf"):
        assert sentence == "The body is empty."
    assert "good film" not in sentence
    assert line.startswith(f"curl -H 'X-API-Key: KEY' {address}{path} -d '{{")
    if "form" in name or name == "multipart":
        assert sentence == "The body is a form, not JSON."


@pytest.mark.parametrize("path", ROUTES)
def test_the_line_works_when_it_is_copied(address: str, path: str) -> None:
    answer = httpx2.post(address + path, data={"text": "a good film"}, headers=HEADERS, timeout=60)
    line = answer.json()["error"].partition(" Send, for example: ")[2]
    words = shlex.split(line.replace("X-API-Key: KEY", f"Authorization: {HEADERS['Authorization']}"))
    if shutil.which("curl") is None:
        pytest.skip("no curl here")
    done = subprocess.run([*words, "-s"], capture_output=True, text=True, timeout=60, check=True)
    assert ROUTES[path] in done.stdout
    assert "good film" not in done.stdout


def test_the_line_has_the_method_and_the_form_of_the_route(address: str) -> None:
    with httpx2.Client(base_url=address, headers=HEADERS, timeout=60) as client:
        serve = client.put("/admin/models/other", json={"folder": "a"}).json()["detail"]
        tried = client.put("/admin/models/tiny/candidate", data={"path": "a"}).json()["detail"]
        explain = client.post("/explain", json={"text": "a"}).json()["detail"]
        empty = [client.request(*route).json()["detail"] for route in EMPTY]
        elsewhere = client.post("/predict", content=b"text=a", headers={"Host": "reviews.example.org"}).json()["detail"]
        strange = client.post("/predict", content=b"text=a", headers={"Host": "a';reboot;'"}).json()["detail"]
        named = client.post("/v2/models/$(reboot)/infer", content=b"text=a").json()["error"]
    assert f"""curl -X PUT -H 'X-API-Key: KEY' {address}/admin/models/other -d '{{"path":"sentiment-2"}}'""" in serve
    assert tried.endswith("""/admin/models/tiny/candidate -d '{"path":"sentiment-2","share":0.1}'""")
    assert explain.endswith("""/explain -d '{"inputs":"A good film."}'""")
    assert all("The body is empty. Send, for example: curl " in detail for detail in empty)
    assert "http://reviews.example.org/predict -d" in elsewhere
    assert "http://localhost:8000/predict -d" in strange
    assert "reboot" not in named


def test_lines_of_a_stream_are_told_too(address: str) -> None:
    lines = b'plain text\n{"text": "a"}\n{"inputs": "a", "top_k": 0}\n{"inputs": "a good film"}\n'
    answer = httpx2.post(f"{address}/predict/stream", content=lines, headers=HEADERS, timeout=60)
    entries = [json.loads(line) for line in answer.text.splitlines()]
    for entry in entries[:2]:
        assert entry["error"]["detail"].endswith("""Send, for example: {"inputs":"A good film."}""")
    assert entries[2]["error"]["detail"] == "Expected `int` >= 1 - at `$.top_k`."
    assert "label" in entries[3]


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (b"{}", "Object missing required field `inputs`."),
        (b'{"inputs": ["a", 3]}', "Expected `str`, got `int` - at `$.inputs[1]`."),
        (
            b'{"inputs": "a", "text": "b"}',
            f"Object contains unknown field `text`. It may have {FIELDS}.",
        ),
        (b'{"inputs": "a"', "The JSON ends too early (byte 14)."),
        (b'{"inputs": "a"}}', "JSON is malformed: trailing characters (byte 16)."),
    ],
)
def test_who_sent_the_right_form_is_told_what_is_wrong_alone(address: str, body: bytes, detail: str) -> None:
    assert httpx2.post(f"{address}/predict", content=body, headers=HEADERS, timeout=60).json()["detail"] == detail


def test_only_errors_of_bodies_have_an_example() -> None:
    plain, other = InvalidRequest("Wrong."), NotReady("Later.")
    assert with_example(plain) is plain
    assert with_example(other) is other
    refused = InvalidJson("A form.")
    refused.example = '{"inputs":"a"}'
    assert str(with_example(refused)) == 'A form. Send, for example: {"inputs":"a"}'
    scope = {"method": "POST", "path": "/predict", "scheme": "https", "headers": []}
    assert curl_of(scope) == "curl https://localhost:8000/predict -d '{}'"

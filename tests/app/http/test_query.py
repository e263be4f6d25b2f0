import httpx2
import pytest

from app.core.errors import InvalidRequest
from app.http.query import check_query
from tests.app.conftest import FakeClassifier, serve

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("query", [b"", b"top_k=1", b"top_k=&top_k=2&labels=a%20b"])
def test_known_parameters_are_taken(query: bytes) -> None:
    check_query(query, ["top_k", "labels"], ["inputs"])


@pytest.mark.parametrize(
    ("query", "known", "detail"),
    [
        (b"topk=1", ["model", "top_k"], "The query has an unknown parameter `topk`. It may have `model` and `top_k`."),
        (b"top_k=1&SECRET%20text", ["top_k"], "The query has an unknown parameter. It may have `top_k`."),
        (b"x", [], "The query has an unknown parameter `x`. There are none here; the body may have `inputs`."),
        (
            b"inputs=SECRET",
            ["top_k"],
            "`inputs` is no parameter of the query here; it belongs in the body, as a field of the JSON.",
        ),
    ],
)
def test_unknown_parameters_are_named_with_their_place(query: bytes, known: list[str], detail: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        check_query(query, known, ["inputs"])
    assert str(caught.value) == detail


async def post(client: httpx2.AsyncClient, url: str) -> tuple[int, str]:
    response = await client.post(
        url, content=b'{"inputs": "a", "input": "a"}' if "classify" in url else b'{"inputs": "a"}'
    )
    return response.status_code, response.text


async def test_a_route_takes_the_parameters_that_are_documented(classifier: FakeClassifier) -> None:
    async with serve(classifier) as client:
        for url in ("/predict", "/predict?", "/predict/stream?top_k=1&model=sentiment", "/classify?api-version=1"):
            assert (await post(client, url))[0] == 200
        for url, said in (
            ("/predict?min_precision=0.9", "`min_precision` is no parameter of the query here; it belongs in the body"),
            ("/predict?model=nope", "`model` is no parameter of the query here"),
            ("/predict/stream?topk=1", "It may have `model`, `top_k`, `labels` and `min_precision`."),
            ("/explain?gates=true", "`gates` is no parameter of the query here"),
            ("/embed?normalise=1", "the body may have `inputs`, `model`, `normalize`"),
            ("/invocations?topk=1", "the body may have `inputs`, `parameters` and `options`."),
        ):
            status, text = await post(client, url)
            assert (status, "invalid_request" in text, said in text) == (422, True, True), text

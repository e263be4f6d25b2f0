"""OpenAI's own client against `POST /v1/embeddings`."""

from pathlib import Path
from typing import Any

import numpy as np
import openai
import pytest

from model.classifier import Classifier
from model.vectors import embed

TEXTS = ["a good film", "", "很好看的电影"]


@pytest.fixture
def client(address: str) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{address}/v1", api_key="unused", max_retries=0, timeout=30)


@pytest.fixture(scope="module")
def wanted(tiny_checkpoint: Path) -> np.ndarray:
    return embed(Classifier.load(tiny_checkpoint, device="cpu"), TEXTS)


def test_vectors_as_the_client_asks_by_itself(client: openai.OpenAI, wanted: np.ndarray) -> None:
    answer = client.embeddings.create(model="tiny", input=TEXTS)
    assert [entry.index for entry in answer.data] == [0, 1, 2]
    np.testing.assert_allclose([entry.embedding for entry in answer.data], wanted, atol=1e-6)
    assert (answer.model, answer.usage.prompt_tokens > 0) == ("tiny", True)


def test_vectors_as_numbers_of_one_text(client: openai.OpenAI, wanted: np.ndarray) -> None:
    answer = client.embeddings.create(model="tiny", input=TEXTS[0], encoding_format="float", user="me")
    np.testing.assert_allclose(answer.data[0].embedding, wanted[0], atol=1e-6)


@pytest.mark.parametrize(
    ("kind", "asked", "says"),
    [
        (openai.NotFoundError, {"model": "text-embedding-3-small", "input": "a"}, "No model has this name"),
        (openai.UnprocessableEntityError, {"input": "a", "dimensions": 8}, "`dimensions` must be left out or be 36"),
        (openai.UnprocessableEntityError, {"input": [[1, 2, 3]]}, "$.input[0]"),
    ],
)
def test_its_errors_hold_ours(
    client: openai.OpenAI, kind: type[openai.APIStatusError], asked: dict[str, Any], says: str
) -> None:
    with pytest.raises(kind) as raised:
        client.embeddings.create(**({"model": "tiny"} | asked))
    assert says in str(raised.value.body)

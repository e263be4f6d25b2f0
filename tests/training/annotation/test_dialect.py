import pytest

from training.annotation.dialect import Dialect


@pytest.mark.parametrize(
    ("refusal", "expected"),
    [
        ("400 'response_format.type' must be 'text'", Dialect(schema=False)),
        (
            "400 Unsupported parameter: 'max_tokens'; use 'max_completion_tokens'",
            Dialect(limit="max_completion_tokens"),
        ),
        ("400 'temperature' does not support 0.0 with this model", Dialect(temperature=False)),
        ("422 top_logprobs must be at most 8", Dialect(top_logprobs=5)),
        ("400 bad request", Dialect(schema=False)),
    ],
)
def test_the_field_that_is_refused_goes(refusal: str, expected: Dialect) -> None:
    found = Dialect().after(refusal)
    assert found is not None
    assert found[0] == expected
    assert found[1].startswith("the endpoint refuses")


def test_fields_go_one_by_one_until_none_is_left() -> None:
    dialect, steps = Dialect(), 0
    while (found := dialect.after("no")) is not None:
        dialect, steps = found[0], steps + 1
    assert steps == 5
    body = dialect.body("m", [], schema={}, max_tokens=9, temperature=0)
    assert body == {"model": "m", "messages": [], "max_completion_tokens": 9}


def test_a_full_body_asks_for_schema_and_alternatives() -> None:
    body = Dialect().body("m", [], schema={"type": "object"}, max_tokens=9, temperature=0.3)
    assert (body["max_tokens"], body["temperature"], body["top_logprobs"]) == (9, 0.3, 20)
    assert body["response_format"]["json_schema"]["schema"] == {"type": "object"}

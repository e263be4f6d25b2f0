import json

import pytest
from starlette.exceptions import HTTPException

from app.core.errors import (
    INTERNAL_DETAIL,
    PROBLEM_MEDIA_TYPE,
    TABLE,
    AppError,
    ClientGone,
    Overloaded,
    RequestError,
    ServiceError,
    describe,
    problem_response,
    row_of,
)
from model.errors import CheckpointMissing, InputError, ModelError


def family(root: type[Exception]) -> list[type[Exception]]:
    return [root, *(error for child in root.__subclasses__() for error in family(child))]


@pytest.mark.parametrize("error", family(AppError), ids=lambda error: error.__name__)
def test_every_error_has_a_row_of_its_own(error: type[Exception]) -> None:
    row = TABLE[error]
    assert row.code.replace("_", "").isalpha()
    if issubclass(error, RequestError):
        assert 400 <= row.status < 499
    if issubclass(error, ServiceError):
        assert row.status >= 500


@pytest.mark.parametrize("error", family(ModelError), ids=lambda error: error.__name__)
def test_every_error_of_the_library_has_a_row(error: type[Exception]) -> None:
    row = next(TABLE[cls] for cls in error.__mro__ if cls in TABLE)
    assert row.status == (422 if issubclass(error, InputError) else 500)


def test_codes_are_distinct_except_for_the_unforeseen() -> None:
    codes = [row.code for row in TABLE.values() if row.code != "internal_error"]
    assert len(codes) == len(set(codes))


def test_client_that_left_is_told_apart_in_the_log() -> None:
    assert row_of(ClientGone("")).status == 499


def test_problem_has_all_members() -> None:
    response = problem_response(Overloaded("No room.", retry_after_s=3))
    assert (response.status_code, response.headers["retry-after"]) == (503, "3")
    assert response.headers["content-type"] == PROBLEM_MEDIA_TYPE
    assert json.loads(bytes(response.body)) == {
        "type": "urn:sluice:problem:overloaded",
        "title": "The server is overloaded",
        "status": 503,
        "detail": "No room.",
        "error": "No room.",
        "error_type": "overloaded",
    }


@pytest.mark.parametrize(
    "error", [RuntimeError("secret"), CheckpointMissing.__new__(CheckpointMissing), KeyError("secret")]
)
def test_unforeseen_errors_say_nothing_of_their_cause(error: Exception) -> None:
    row, detail = describe(error)
    assert (row.status, detail) == (500, INTERNAL_DETAIL)
    assert b"secret" not in bytes(problem_response(error).body)


def test_http_exceptions_keep_their_headers_but_not_their_detail() -> None:
    response = problem_response(HTTPException(405, "user text", {"Allow": "POST"}))
    assert response.headers["allow"] == "POST"
    assert b"user text" not in bytes(response.body)
    assert json.loads(bytes(response.body))["error_type"] == "method_not_allowed"

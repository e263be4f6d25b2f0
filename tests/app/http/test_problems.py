import json

import pytest
from starlette.exceptions import HTTPException

from app.core.errors import InvalidRequest, Overloaded, UnknownModel
from app.http.problems import PROBLEM_MEDIA_TYPE, error_response, problem_response


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


def test_http_exceptions_keep_their_headers_but_not_their_detail() -> None:
    response = problem_response(HTTPException(405, "user text", {"Allow": "POST"}))
    assert response.headers["allow"] == "POST"
    assert b"user text" not in bytes(response.body)
    problem = json.loads(bytes(response.body))
    assert problem["error_type"] == "method_not_allowed"
    assert problem["detail"].endswith("The Allow header lists those that it takes: POST.")


def test_unforeseen_errors_say_nothing_of_their_cause() -> None:
    for path in ("/predict", "/v2/models/sentiment/infer"):
        response = error_response(path, RuntimeError("secret"))
        assert response.status_code == 500
        assert b"secret" not in bytes(response.body)


@pytest.mark.parametrize("path", ["/v2", "/v2/models/sentiment/infer"])
def test_open_inference_protocol_has_a_form_of_its_own(path: str) -> None:
    response = error_response(path, UnknownModel())
    assert (response.status_code, response.media_type) == (404, "application/json")
    assert json.loads(bytes(response.body)) == {"error": str(UnknownModel())}
    assert error_response(path, InvalidRequest("No.")).status_code == 400
    assert error_response(path, Overloaded(retry_after_s=3)).headers["retry-after"] == "3"


@pytest.mark.parametrize("path", ["/predict", "/v20", "/"])
def test_other_paths_answer_with_problems(path: str) -> None:
    response = error_response(path, InvalidRequest("No."))
    assert (response.status_code, response.media_type) == (422, PROBLEM_MEDIA_TYPE)

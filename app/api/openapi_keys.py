"""What the OpenAPI document says of API keys, where the server has some."""

import json
from typing import Any

from app.api.openapi import REF
from app.core.errors import Forbidden, RateLimited, Unauthorized, row_of
from app.http.authorize import role_for
from app.http.problems import PROBLEM_MEDIA_TYPE, error_response

SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "`Authorization: Bearer …`"},
    "header": {
        "type": "apiKey",
        "in": "header",
        "name": "X-API-Key",
        "description": "`X-API-Key: …`, which counts first.",
    },
}


def require_keys(document: dict[str, Any], *, public_metrics: bool) -> None:
    """Says of each operation whether it needs a key, and how one is refused."""
    document.setdefault("components", {})["securitySchemes"] = SCHEMES
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            role = role_for(method.upper(), path, public_metrics)
            operation["security"] = [] if role is None else [{"bearer": []}, {"header": []}]
            if role is not None:
                operation["responses"] |= _refusals(path, role)


def _refusals(path: str, role: str) -> dict[str, Any]:
    responses: dict[str, Any] = {}
    for error in (
        Unauthorized(),
        Forbidden(f"This needs a key of the role {role}."),
        RateLimited(retry_after_s=2),
    ):
        made = error_response(path, error)
        schema = "Problem" if made.media_type == PROBLEM_MEDIA_TYPE else "V2Error"
        content = {"schema": {"$ref": REF.format(name=schema)}, "example": json.loads(bytes(made.body))}
        responses[str(made.status_code)] = {
            "description": row_of(error).title,
            "headers": {name: {"schema": {"type": "string"}} for name in error.headers},
            "content": {made.media_type: content},
        }
    return responses

"""The upper bound: an ASGI function that reads the request and answers a constant.

python -m benchmarks.http.servers.bare PORT
"""

import sys
from typing import Any

import uvicorn

ANSWER = (
    b'{"model":"sentiment","version":"000000000000","predictions":[{"label":"positive","score":0.987471,"scores":'
    b'[{"label":"positive","score":0.987471},{"label":"negative","score":0.012529}],"tokens":8,"truncated":false}]}'
)
"""As long as Sluice's answer to one text."""

START = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"content-type", b"application/json"), (b"content-length", str(len(ANSWER)).encode())],
}
END = {"type": "http.response.body", "body": ANSWER}


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Any request, the same answer."""
    while (await receive()).get("more_body", False):
        pass
    await send(START)
    await send(END)


if __name__ == "__main__":
    uvicorn.run(
        app,
        port=int(sys.argv[1]),
        loop="uvloop",
        http="httptools",
        lifespan="off",
        access_log=False,
        log_level="warning",
    )

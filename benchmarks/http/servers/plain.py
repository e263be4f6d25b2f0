"""FastAPI as its tutorial has it: pydantic models, and a route that computes in the request.

python -m benchmarks.http.servers.plain PORT THREADS CHECKPOINT
"""

import sys
from pathlib import Path

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

from benchmarks.lib.packed import PackedClassifier


class Request(BaseModel):
    """Request body: texts to classify."""

    inputs: list[str]


class Prediction(BaseModel):
    """The best label of a text."""

    label: str
    score: float


class Answer(BaseModel):
    """One prediction a text."""

    predictions: list[Prediction]


def create_app(classifier: PackedClassifier) -> FastAPI:
    """The application. A route that is `async` is quicker here than one that FastAPI runs in its threads."""
    app = FastAPI()

    @app.post("/predict")
    async def predict(request: Request) -> Answer:
        return Answer.model_validate({"predictions": classifier.predict(request.inputs)})

    return app


if __name__ == "__main__":
    port, threads, checkpoint = sys.argv[1:]
    app = create_app(PackedClassifier(Path(checkpoint), threads=int(threads)))
    uvicorn.run(app, port=int(port), loop="uvloop", http="httptools", access_log=False, log_level="warning")

"""Fixtures of the server's tests for those that span its folders."""

from tests.app.conftest import anyio_backend, classifier

__all__ = ["anyio_backend", "classifier"]

"""ASGI middleware and request bodies: ids, logs, authorization, routing."""

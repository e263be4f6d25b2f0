"""The routes: every form of request, the stream, administration, pages and the OpenAPI document."""

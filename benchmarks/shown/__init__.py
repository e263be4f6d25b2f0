"""Answers and figures of the shipped checkpoint that documents and the OpenAPI examples show."""

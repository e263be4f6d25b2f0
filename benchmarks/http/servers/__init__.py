"""Servers to compare with: the same weights as most people would serve them.

Each file is run in an environment of its own choice, from the root of the repository. All take the request
`{"inputs": ["a text", …]}`.
"""

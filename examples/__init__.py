"""Small programs that show the library at work; see `examples/README.md`."""

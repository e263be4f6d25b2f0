"""The network on a CPU without PyTorch: a small C++ library and its Python side."""

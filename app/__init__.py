"""The HTTP server: routes, batching across requests, limits, health and metrics. Imports `model`, never torch."""

import os

VERSION = "0.1.0"

# Read when NumPy is imported. The server multiplies by NumPy while it loads a model and to map states to vectors, on
# threads of its own. Those that OpenBLAS would start, one for each processor of the machine, must not be there when the
# process is copied, and would wait for each other wherever processors have other work.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

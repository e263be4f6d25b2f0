"""Fits of scikit-learn without warnings about what held-out texts judge anyway."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from sklearn.exceptions import ConvergenceWarning

MANY_LABELS = "The number of unique classes is greater than 50%"
"""How scikit-learn begins to say that labels could be numbers; ours are names, many of which may be rare."""


@contextmanager
def quiet_fit() -> Iterator[None]:
    """Leaves out that a fit has not converged, and that hardly two texts have the same label."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.filterwarnings("ignore", message=MANY_LABELS, category=UserWarning)
        yield

import warnings

import pytest
from sklearn.exceptions import ConvergenceWarning

from training.linear.quiet import quiet_fit


def test_other_warnings_are_heard() -> None:
    with quiet_fit():
        warnings.warn("not yet", ConvergenceWarning, stacklevel=1)
    with pytest.warns(UserWarning, match="odd"), quiet_fit():
        warnings.warn("odd", UserWarning, stacklevel=1)

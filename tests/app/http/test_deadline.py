import pytest

from app.core.errors import InvalidRequest
from app.http.deadline import timeout_s


@pytest.mark.parametrize(
    ("value", "seconds"), [(None, 2.0), (b"500", 0.5), (b"1", 0.001), (b"999999999", 2.0), (b"0" * 5000 + b"500", 0.5)]
)
def test_client_may_only_shorten_the_deadline(value: bytes | None, seconds: float) -> None:
    headers = [] if value is None else [(b"x-request-timeout-ms", value)]
    assert timeout_s({"headers": headers}, 2000) == seconds


@pytest.mark.parametrize("value", [b"", b"0", b"-1", b"1.5", b"soon", b"1e3", b"9" * 5000])
def test_senseless_timeouts_are_refused(value: bytes) -> None:
    with pytest.raises(InvalidRequest, match="from 1 to 999999999"):
        timeout_s({"headers": [(b"x-request-timeout-ms", value)]}, 2000)

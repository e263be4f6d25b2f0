import pytest

from app.core.errors import (
    INTERNAL_DETAIL,
    TABLE,
    AppError,
    ClientGone,
    RequestError,
    ServiceError,
    describe,
    row_of,
)
from model.errors import CheckpointMissing, InputError, ModelError


def family(root: type[Exception]) -> list[type[Exception]]:
    return [root, *(error for child in root.__subclasses__() for error in family(child))]


@pytest.mark.parametrize("error", family(AppError), ids=lambda error: error.__name__)
def test_every_error_has_a_row_of_its_own(error: type[Exception]) -> None:
    row = TABLE[error]
    assert row.code.replace("_", "").isalpha()
    if issubclass(error, RequestError):
        assert 400 <= row.status < 499
    if issubclass(error, ServiceError):
        assert row.status >= 500


@pytest.mark.parametrize("error", family(ModelError), ids=lambda error: error.__name__)
def test_every_error_of_the_library_has_a_row(error: type[Exception]) -> None:
    row = next(TABLE[cls] for cls in error.__mro__ if cls in TABLE)
    assert row.status == (422 if issubclass(error, InputError) else 500)


def test_codes_are_distinct_except_for_the_unforeseen() -> None:
    codes = [row.code for row in TABLE.values() if row.code != "internal_error"]
    assert len(codes) == len(set(codes))


def test_client_that_left_is_told_apart_in_the_log() -> None:
    assert row_of(ClientGone("")).status == 499


@pytest.mark.parametrize(
    "error", [RuntimeError("secret"), CheckpointMissing.__new__(CheckpointMissing), KeyError("secret")]
)
def test_unforeseen_errors_say_nothing_of_their_cause(error: Exception) -> None:
    row, detail = describe(error)
    assert (row.status, detail) == (500, INTERNAL_DETAIL)

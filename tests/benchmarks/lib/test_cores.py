import pytest

from benchmarks.lib.cores import halves


@pytest.mark.parametrize(
    ("cores", "theirs", "ours"),
    [({3}, {3}, {3}), ({0, 1}, {0}, {1}), ({4, 2, 9}, {2, 4}, {9})],
)
def test_server_and_generator_do_not_share_cores_if_there_are_two(
    cores: set[int], theirs: set[int], ours: set[int]
) -> None:
    assert halves(cores) == (theirs, ours)

"""The places that `torchrun` gives to the processes that it starts."""

import pytest

from training.errors import UsageError
from training.launch import Launch

STARTED = {"TORCHELASTIC_RUN_ID": "none", "RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "2"}


def test_each_process_takes_a_cuda_device_of_its_own() -> None:
    second = Launch.from_env(STARTED | {"RANK": "5", "LOCAL_RANK": "1", "WORLD_SIZE": "8"})
    assert second == Launch(rank=5, local_rank=1, count=8)
    assert [second.device(name, num_cuda=4) for name in ("auto", "cuda", "cpu")] == ["cuda:1", "cuda:1", "cpu"]
    assert second.device("auto", num_cuda=0) == "auto"
    assert Launch().device("cuda:3", num_cuda=4) == "cuda:3"
    with pytest.raises(UsageError, match="under torchrun each process takes a device of its own"):
        second.device("cuda:0", num_cuda=4)
    with pytest.raises(UsageError, match=r"more processes than this machine's 1 CUDA device"):
        second.device("auto", num_cuda=1)

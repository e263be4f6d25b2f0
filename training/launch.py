"""The place that `torchrun` gives to a process that it starts."""

from collections.abc import Mapping
from dataclasses import dataclass

from training.errors import UsageError


@dataclass(frozen=True, slots=True)
class Launch:
    """The place of this process among those started together; alone if `torchrun` did not start it.

    Attributes:
        rank: counted from 0 over all machines.
        local_rank: counted from 0 on this machine.
        count: of processes.
    """

    rank: int = 0
    local_rank: int = 0
    count: int = 1

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> "Launch":
        """From `RANK`, `LOCAL_RANK` and `WORLD_SIZE`, where `torchrun` set them; other launchers set them too.

        >>> Launch.from_env({"WORLD_SIZE": "2", "RANK": "1", "LOCAL_RANK": "1"})
        Launch(rank=0, local_rank=0, count=1)
        """
        if "TORCHELASTIC_RUN_ID" not in environ:
            return cls()
        return cls(int(environ["RANK"]), int(environ["LOCAL_RANK"]), int(environ["WORLD_SIZE"]))

    def device(self, name: str, num_cuda: int) -> str:
        """The device of this process, for a device asked of all; on CUDA each takes one of its own.

        Args:
            name: as of `--device`.
            num_cuda: CUDA devices of this machine.

        Raises:
            UsageError: one device was named for several processes, or there are too few.

        >>> Launch(rank=3, local_rank=1, count=4).device("auto", num_cuda=2)
        'cuda:1'
        """
        if self.count == 1 or name == "cpu" or (name == "auto" and not num_cuda):
            return name
        if name not in ("auto", "cuda"):
            raise UsageError(
                f"--device {name}: under torchrun each process takes a device of its own; give cuda or cpu"
            )
        if self.local_rank >= num_cuda:
            raise UsageError(
                f"torchrun started more processes than this machine's {num_cuda} CUDA device(s); lower --nproc-per-node"
            )
        return f"cuda:{self.local_rank}"

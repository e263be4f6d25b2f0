"""One training over several processes: each computes a share of every batch, and all take the same step.

The rows of a batch are parted among the processes. The loss is that of the whole batch, and the gradients are summed:
what clipping and the optimizer then see is what one process would see, up to the rounding of sums. So the weights stay
the same everywhere, and nothing that decides (scores, stops, saves) may differ between processes: it is agreed upon.

Shape suffixes: B batch, C labels, U rows of the embedding that a batch uses, E embedding.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn

from training.errors import RunError
from training.fit.objective import Loss, Rows
from training.launch import Launch

PATIENCE = timedelta(days=30)
"""How long a process waits for the others. The first may train a tokenizer or ask a teacher for hours; `torchrun` ends
the others when one has failed, so nothing needs a shorter limit."""


@dataclass(frozen=True, slots=True)
class Processes:
    """The processes of one training, as one of them sees them.

    Operations that exchange something must be called by all of them in the same order. Of a single process they give
    back what they are given.

    Attributes:
        rank: of this process, counted from 0.
        count: of all.
    """

    rank: int = 0
    count: int = 1

    @property
    def is_first(self) -> bool:
        """True for the process that prints, saves and publishes."""
        return self.rank == 0

    def seed(self, seed: int, step: int = 0) -> int:
        """The seed of what each process draws for its own rows from a step on; the first one begins with the run's."""
        if self.is_first and not step:
            return seed
        return int(np.random.default_rng([seed, self.rank, step]).integers(2**62))

    def sizes(self, num_rows: int) -> list[int]:
        """Number of rows of a batch in each process.

        >>> Processes(rank=0, count=2).sizes(5)
        [3, 2]
        """
        return [len(part) for part in np.array_split(np.arange(num_rows), self.count)]

    def share(self, rows: Rows) -> Rows:
        """The rows of a batch that this process computes, at least one.

        Where there are fewer rows than processes, those left over compute the first again, of which `whole` makes
        nothing: so all have gradients of the same parameters and none has a case of its own.

        >>> Processes(rank=1, count=2).share(np.array([7, 8, 9])).tolist()
        [9]
        """
        own: Rows = np.array_split(rows, self.count)[self.rank]
        return own if len(own) else rows[:1]

    def whole(self, loss: Loss) -> Loss:
        """A loss of whole batches, from the logits of this process's share and the rows of the batch.

        The logits of the others come in as constants. The sum of all processes' gradients is then that of the loss,
        whatever it divides by: rows, weights of labels or anything else that depends on the batch.
        """
        if self.count == 1:
            return loss

        def of_batch(own_BC: Tensor, rows: Rows) -> Tensor:
            sizes = self.sizes(len(rows))
            own_BC = own_BC[: sizes[self.rank]]
            parts = list(self.stacked(own_BC.detach(), sizes).split(sizes))
            parts[self.rank] = own_BC
            return loss(torch.cat(parts), rows)

        return of_batch

    def stacked(self, own: Tensor, sizes: Sequence[int]) -> Tensor:
        """The rows of all processes, the first's on top; `sizes` says how many each has."""
        if self.count == 1:
            return own
        padded = own.new_zeros((max(sizes), *own.shape[1:]))
        padded[: len(own)] = own
        parts = [torch.empty_like(padded) for _ in sizes]
        with _exchange():
            dist.all_gather(parts, padded)
        return torch.cat([part[:size] for part, size in zip(parts, sizes, strict=True)])

    def summed(self, own: Tensor) -> Tensor:
        """The sum over all processes, in place."""
        if self.count > 1:
            with _exchange():
                dist.all_reduce(own)
        return own

    def largest(self, own: float) -> float:
        """The largest number of all processes. They wait for one another."""
        if self.count == 1:
            return own
        number = torch.tensor([own], dtype=torch.float64)
        with _exchange():
            dist.all_reduce(number, op=dist.ReduceOp.MAX)
        return float(number)

    def meet(self) -> None:
        """Waits until all are here."""
        self.largest(0.0)

    def from_first(self, value: Any) -> Any:
        """A copy of the picklable value that the first process gives; those that the others give do not matter."""
        if self.count == 1:
            return value
        given = [value]
        with _exchange():
            dist.broadcast_object_list(given, 0, device=torch.device("cpu"))
        return given[0]

    def copy_from_first(self, tensors: Iterable[Tensor]) -> None:
        """Fills the tensors with those of the first process."""
        if self.count > 1:
            for tensor in tensors:
                with _exchange():
                    dist.broadcast(tensor, 0)

    @torch.no_grad()
    def sum_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Gives each parameter the sum of all processes' gradients; a sparse one stays sparse."""
        if self.count == 1:
            return
        dense = []
        for parameter in parameters:
            if parameter.grad is not None and parameter.grad.is_sparse:
                parameter.grad = self._sum_rows(parameter.grad)
            elif parameter.grad is not None:
                dense.append(parameter.grad)
        # In one piece: many small exchanges would each wait for the other side.
        total = self.summed(torch.cat([gradient.flatten() for gradient in dense]))
        for gradient, part in zip(dense, total.split([gradient.numel() for gradient in dense]), strict=True):
            gradient.copy_(part.view_as(gradient))

    def _sum_rows(self, gradient: Tensor) -> Tensor:
        """NCCL knows no sparse tensors: places and values of the rows travel apart."""
        own = gradient.coalesce()
        rows_U, values_UE = own.indices()[0], own.values()
        sizes: list[int] = self.stacked(torch.tensor([len(rows_U)]), [1] * self.count).tolist()
        rows_U, values_UE = self.stacked(rows_U, sizes), self.stacked(values_UE, sizes)
        return torch.sparse_coo_tensor(
            rows_U.unsqueeze(0), values_UE, gradient.shape, check_invariants=False
        ).coalesce()


ALONE = Processes()


@contextmanager
def joined(launch: Launch, device: str) -> Iterator[tuple[Processes, str]]:
    """Within it, this process exchanges with those that `torchrun` started with it; yields them and its own device.

    Args:
        launch: what `torchrun` said.
        device: as of `--device`.

    Raises:
        UsageError: the processes and the devices do not fit.
    """
    if launch.count == 1:
        yield ALONE, device
        return
    device = launch.device(device, torch.cuda.device_count())
    on_cuda = device.startswith("cuda")
    if on_cuda:
        torch.cuda.set_device(device)
    # What is agreed upon lies on the CPU, gradients and weights on the device.
    dist.init_process_group("cpu:gloo,cuda:nccl" if on_cuda else "gloo", timeout=PATIENCE)
    try:
        yield Processes(launch.rank, launch.count), device
    finally:
        dist.destroy_process_group()


@contextmanager
def _exchange() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        cause = str(error).split(". ")[0]
        raise RunError(f"another process of this training has ended or cannot be reached: {cause}") from error

"""Several processes learn what one does, and any number of them goes on with what others began."""

from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from model.config import Architecture
from model.encoder import Dropouts
from model.network import RecurrentClassifier
from tests.training.fit.group import group
from training.errors import RunError
from training.fit.objective import CrossEntropy, Rows
from training.fit.optimizer import clip_gradients
from training.fit.parallel import ALONE, Processes
from training.fit.trainer import Examples, LoopConfig, Trainer

CPU = torch.device("cpu")
CONFIG = LoopConfig(
    epochs=3, batch_tokens=64, min_steps=1, learning_rate=2e-2, average_decay=0.9, class_weights="balanced"
)
NUM_ROWS, STOP_AT = 90, 12
TARGETS = np.array([0, 1, 1, 0, 0])
"""With weights of labels, so that the mean of a batch is not the mean of its parts' means."""
RESUMPTIONS = [(2, 1), (1, 2), (2, 3), (3, 2)]
"""Numbers of processes before and after a stop."""
FORMATS = {"float32": torch.float32, "bfloat16": torch.bfloat16}
DROPOUTS = Dropouts(word=0.1, embedding=0.1, recurrent=0.1, pooled=0.1)


def examples(count: int, seed: int) -> Examples:
    """Label 1, in a third of them, where there is a 1. Some texts fill a batch by themselves.

    A few end with a 0, which also pads: it has moments, by which the optimizer moves it wherever there is padding.
    """
    rng = np.random.default_rng(seed)
    lengths = np.where(rng.random(count) < 0.1, 60, rng.integers(2, 12, count))
    ids = [rng.integers(2, 60, length).astype(np.int32) for length in lengths]
    targets = (rng.random(count) < 1 / 3).astype(np.int64)
    for row in np.flatnonzero(targets):
        ids[row][0] = 1
    for row in np.flatnonzero(rng.random(count) < 0.1):
        ids[row][-1] = 0
    return Examples(ids, targets)


def accuracy(logits: np.ndarray, targets: np.ndarray) -> float:
    return float((logits.argmax(1) == targets).mean())


class Counting(Trainer):
    """A trainer that notes the rows that this process computes, with their epoch."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.rows: list[tuple[int, int]] = []

    def _loss(self, rows: Rows) -> torch.Tensor:
        num_own = self.processes.sizes(len(rows))[self.processes.rank]
        self.rows += [(self._position.epoch, row) for row in self.processes.share(rows)[:num_own].tolist()]
        return super()._loss(rows)


def trainer(processes: Processes, dropouts: Dropouts, dtype: torch.dtype = torch.float32) -> Counting:
    torch.manual_seed(7 + processes.rank)  # the weights of the first process are those of both
    network = RecurrentClassifier(Architecture(vocab_size=60, embedding_dim=8, hidden_size=8), 2, dropouts)
    return Counting(
        network, examples(NUM_ROWS, 1), examples(200, 2), CONFIG,
        measure=accuracy, seed=0, device=CPU, processes=processes, dtype=dtype,
    )  # fmt: skip


def story(done: Trainer, losses: list[float]) -> dict[str, Any]:
    """Losses, scores and weights of a training, to be compared."""
    return {
        "losses": losses,
        "validation": [reading["validation"] for reading in done.history],
        "weights": {name: weight.numpy().copy() for name, weight in done.network.state_dict().items()},
    }


def train(processes: Processes, dropouts: Dropouts, dtype: torch.dtype = torch.float32) -> dict[str, Any]:
    losses: list[float] = []
    whole = trainer(processes, dropouts, dtype)
    assert whole.run(lambda progress: losses.append(progress.loss))
    return story(whole, losses)


def train_in_two_parts(processes: Processes, dtype: torch.dtype, folder: Path) -> dict[str, Any]:
    losses: list[float] = []
    first = trainer(processes, DROPOUTS, dtype)
    # Only the second process is asked to stop.
    assert not first.run(
        lambda progress: losses.append(progress.loss),
        lambda: processes.largest(processes.rank * (len(losses) == STOP_AT)) > 0,
    )
    first.save_state(folder)
    processes.meet()
    second = trainer(processes, DROPOUTS, dtype)
    second.load_state(folder)
    assert second.run(lambda progress: losses.append(progress.loss))
    return story(second, losses)


def begin(processes: Processes, folder: Path) -> dict[str, Any]:
    """Stops after some steps without dropout and leaves the state; the rows so far."""
    first, losses = trainer(processes, Dropouts()), list[float]()
    assert not first.run(lambda progress: losses.append(progress.loss), lambda: len(losses) == STOP_AT)
    first.save_state(folder / f"of-{processes.count}")
    return {"rows": first.rows, "losses": losses}


def go_on(processes: Processes, folder: Path, before: int) -> dict[str, Any]:
    """Finishes what so many processes `before` left, and how it went from there on."""
    second, losses = trainer(processes, Dropouts()), list[float]()
    second.load_state(folder / f"of-{before}")
    assert second.run(lambda progress: losses.append(progress.loss))
    return story(second, losses) | {"rows": second.rows}


def drawn_after(processes: Processes, folder: Path) -> float:
    """A random number that this process draws first when it goes on with what one left."""
    trainer(processes, DROPOUTS).load_state(folder / "of-1")
    return float(torch.rand(()))


def sum_gradients(processes: Processes) -> dict[str, Any]:
    dense, sparse = nn.Parameter(torch.zeros(2, 2)), nn.Parameter(torch.zeros(5, 2))
    frozen = nn.Parameter(torch.zeros(1))
    dense.grad = torch.full((2, 2), 1.0 + processes.rank)
    rows, values = [([3, 1, 3], [1.0, 2.0, 4.0]), ([4, 3], [8.0, 16.0])][processes.rank]
    values_UE = torch.tensor(values).unsqueeze(1).expand(-1, 2)
    sparse.grad = torch.sparse_coo_tensor(torch.tensor([rows]), values_UE, (5, 2), check_invariants=False)
    processes.sum_gradients([dense, sparse, frozen])
    norm = clip_gradients([dense, sparse], max_norm=1e9)
    return {
        "dense": dense.grad.tolist(),
        "rows": sparse.grad.coalesce().indices()[0].tolist(),
        "values": sparse.grad.coalesce().values()[:, 0].tolist(),
        "none": frozen.grad is None,
        "norm": norm,
    }


def gradient_of_loss(processes: Processes, num_rows: int) -> tuple[float, np.ndarray]:
    """Loss and gradient of a linear model on some rows of `TARGETS`."""
    x_NE = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
    weight = nn.Parameter(torch.ones(2, 3) * torch.tensor([[0.5], [-0.25]]))
    entropy = CrossEntropy(TARGETS, weights_C=np.array([1.0, 10.0]), label_smoothing=0.1, device=CPU)
    rows = np.arange(num_rows)
    loss = processes.whole(entropy)(F.linear(x_NE[processes.share(rows)], weight), rows)
    loss.backward()
    processes.sum_gradients([weight])
    assert weight.grad is not None
    return float(loss.detach()), weight.grad.numpy()


def left_alone(processes: Processes) -> str:
    """The error of the first process when the second has gone."""
    if not processes.is_first:
        return ""
    with pytest.raises(RunError) as caught:
        processes.meet()
    return str(caught.value)


def all_together(processes: Processes, folder: Path) -> dict[str, Any]:
    """Everything that two processes are asked to do here, for one start of them."""
    return {
        "gradients": sum_gradients(processes),
        "losses": {num_rows: gradient_of_loss(processes, num_rows) for num_rows in (5, 1)},
        "begun": begin(processes, folder),
        "plain": {name: train(processes, Dropouts(), dtype) for name, dtype in FORMATS.items()},
        "dropped": {name: train(processes, DROPOUTS, dtype) for name, dtype in FORMATS.items()},
        "resumed": {name: train_in_two_parts(processes, dtype, folder / name) for name, dtype in FORMATS.items()},
        "largest": processes.largest(float(processes.rank)),
        "drawn": processes.stacked(torch.full((processes.rank, 1), 7.0), [0, 1]).tolist(),
        "left_alone": left_alone(processes),
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pair")


@pytest.fixture(scope="module")
def runs(folder: Path) -> dict[str, list[Any]]:
    """The results of two processes and of three, for one start of them."""
    found: dict[str, list[Any]] = {"begun by 1": [begin(ALONE, folder)]}
    with group(3) as members:
        found["pair"] = members.run(all_together, folder)
        found["begun by 2"] = [member["begun"] for member in found["pair"]]
        found["begun by 3"] = members.run(begin, folder, count=3)
        found["drawn"] = members.run(drawn_after, folder, count=3)
        for before, after in RESUMPTIONS:
            resumed = partial(go_on, before=before)
            together = [resumed(ALONE, folder)] if after == 1 else members.run(resumed, folder, count=after)
            found[f"{before} then {after}"] = together
    return found


@pytest.fixture(scope="module")
def pair(runs: dict[str, list[Any]]) -> list[dict[str, Any]]:
    """The result of `all_together` in each of two processes."""
    return runs["pair"]


@pytest.fixture(scope="module")
def alone() -> dict[str, Any]:
    """A training of one process, in float32 and without dropout."""
    return train(ALONE, Dropouts())


@pytest.mark.parametrize("num_rows", [1, 2, 3, 7])
@pytest.mark.parametrize("count", [1, 2, 3])
def test_shares_hold_every_row_once_and_none_is_empty(num_rows: int, count: int) -> None:
    rows = np.arange(10, 10 + num_rows)
    members = [Processes(rank, count) for rank in range(count)]
    shares, sizes = [member.share(rows) for member in members], members[0].sizes(num_rows)
    counted = [share[:size] for share, size in zip(shares, sizes, strict=True)]
    np.testing.assert_array_equal(np.concatenate(counted), rows)
    assert max(sizes) - min(sizes) <= 1
    assert all(len(share) for share in shares)


def test_each_process_draws_its_own_and_the_first_as_one_alone() -> None:
    assert ALONE.seed(5) == Processes(0, 3).seed(5) == 5
    assert len({Processes(rank, 3).seed(5, step) for rank in range(3) for step in (0, 7)}) == 6


def test_gradients_are_summed_and_sparse_ones_row_by_row(pair: list[dict[str, Any]]) -> None:
    for member in pair:
        assert member["gradients"] == {
            "dense": [[3.0, 3.0], [3.0, 3.0]],
            "rows": [1, 3, 4],
            "values": [2.0, 21.0, 8.0],
            "none": True,
            "norm": pytest.approx((4 * 9 + 2 * (4 + 441 + 64)) ** 0.5),
        }


@pytest.mark.parametrize("num_rows", [5, 1])
def test_shares_of_unlike_size_and_weight_give_the_loss_of_the_whole(pair: list[dict[str, Any]], num_rows: int) -> None:
    loss, gradient = gradient_of_loss(ALONE, num_rows)
    for member in pair:
        assert member["losses"][num_rows][0] == pytest.approx(loss, rel=1e-6)
        np.testing.assert_allclose(member["losses"][num_rows][1], gradient, rtol=1e-5)


def test_two_processes_learn_what_one_does(pair: list[dict[str, Any]], alone: dict[str, Any]) -> None:
    """In float32 they differ in the order of sums alone."""
    assert alone["losses"][0] > 2 * alone["losses"][-1]
    for member in pair:
        together = member["plain"]["float32"]
        np.testing.assert_allclose(together["losses"], alone["losses"], atol=1e-4)
        np.testing.assert_allclose(together["validation"], alone["validation"], atol=1e-3)
        for name, weight in alone["weights"].items():
            np.testing.assert_allclose(together["weights"][name], weight, atol=1e-4, err_msg=name)


def test_two_processes_learn_in_bfloat16_what_one_does(pair: list[dict[str, Any]]) -> None:
    """Each step amplifies the rounding of the one before: only the first are alike, and the last learned as much."""
    alone = train(ALONE, Dropouts(), torch.bfloat16)
    assert alone["losses"][0] > 2 * alone["losses"][-1]
    for member in pair:
        together = member["plain"]["bfloat16"]
        np.testing.assert_allclose(together["losses"][:5], alone["losses"][:5], rtol=2**-6)
        assert together["losses"][0] > 2 * together["losses"][-1]
        assert together["validation"][-1] == pytest.approx(alone["validation"][-1], abs=0.05)


@pytest.mark.parametrize("dtype", FORMATS)
@pytest.mark.parametrize("run", ["plain", "dropped", "resumed"])
def test_both_processes_end_with_the_same_weights(pair: list[dict[str, Any]], run: str, dtype: str) -> None:
    first, second = (member[run][dtype] for member in pair)
    assert first["losses"] == second["losses"]
    assert first["validation"] == second["validation"]
    for name, weight in first["weights"].items():
        np.testing.assert_array_equal(second["weights"][name], weight, err_msg=name)


@pytest.mark.parametrize("dtype", FORMATS)
def test_stopped_and_resumed_is_as_if_never_stopped_and_dropout_goes_on(pair: list[dict[str, Any]], dtype: str) -> None:
    for member in pair:
        dropped, resumed = member["dropped"][dtype], member["resumed"][dtype]
        assert resumed["losses"] == dropped["losses"]
        assert len(resumed["losses"]) > STOP_AT
        for name, weight in dropped["weights"].items():
            np.testing.assert_array_equal(resumed["weights"][name], weight, err_msg=name)


@pytest.mark.parametrize(("before", "after"), RESUMPTIONS)
def test_another_number_of_processes_goes_on_as_one_undisturbed(
    runs: dict[str, list[Any]], alone: dict[str, Any], before: int, after: int
) -> None:
    """Without dropout and in float32 it differs in the order of sums alone, and no row is lost or seen twice."""
    begun = runs[f"begun by {before}"]
    for member in runs[f"{before} then {after}"]:
        np.testing.assert_allclose(begun[0]["losses"] + member["losses"], alone["losses"], atol=1e-5)
        np.testing.assert_allclose(member["validation"], alone["validation"], atol=1e-3)
        for name, weight in alone["weights"].items():
            np.testing.assert_allclose(member["weights"][name], weight, atol=1e-5, err_msg=name)
    seen = Counter(row for member in [*begun, *runs[f"{before} then {after}"]] for row in member["rows"])
    assert seen == Counter((epoch, row) for epoch in range(CONFIG.epochs) for row in range(NUM_ROWS))


def test_processes_that_come_later_draw_their_own(runs: dict[str, list[Any]], folder: Path) -> None:
    first, *others = runs["drawn"]
    assert first == drawn_after(ALONE, folder)
    assert len({first, *others}) == 3
    trainer(Processes(1, 3), DROPOUTS)
    assert float(torch.rand(())) not in others  # the masks of the first steps do not come again


def test_a_process_that_has_gone_is_an_error_and_not_an_endless_wait(pair: list[dict[str, Any]]) -> None:
    assert pair[0]["left_alone"].startswith("another process of this training has ended or cannot be reached: ")


def test_what_all_see(pair: list[dict[str, Any]]) -> None:
    assert [member["largest"] for member in pair] == [1.0, 1.0]
    assert [member["drawn"] for member in pair] == [[[7.0]], [[7.0]]]

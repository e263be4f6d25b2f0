"""No direction sees what it predicts, and a small grammar is learned."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from model.batch import Ids
from model.padding import pad
from training.errors import RunError
from training.language_model.config import EncoderShape, LanguageDropouts, LanguageLoop
from training.language_model.model import LanguageModel
from training.language_model.trainer import LanguageTrainer, count_tokens, perplexity

CPU = torch.device("cpu")
NONE = LanguageDropouts(word=0, embedding=0, between=0, recurrent=0, output=0)
PLAIN = LanguageLoop(activation=0, temporal=0, softmax_samples=0, batch_rows=8, epochs=4, learning_rate=0.02)
V = 12


def rows(*texts: list[int]) -> list[Ids]:
    return [np.array(text, dtype=np.int32) for text in texts]


def build(dropouts: LanguageDropouts = NONE, loop: LanguageLoop = PLAIN, **shape: object) -> LanguageModel:
    torch.manual_seed(0)
    architecture = EncoderShape.model_validate({"embedding_dim": 5, "hidden_size": 6} | shape).sized(V)
    return LanguageModel(architecture, dropouts, loop, torch.ones(V))


def read(model: LanguageModel, texts: list[Ids]) -> list[list[list[float]]]:
    """For each direction the outputs of each prediction."""
    batch = pad(texts)
    return [reading.outputs_NE.tolist() for reading in model.eval().read(batch.ids_TB, batch.lengths_B)]


def test_a_uniform_model_is_as_perplexed_as_it_has_tokens() -> None:
    model = build()
    with torch.no_grad():
        model.classifier.embedding.zero_()
    assert perplexity(model, rows([1, 2, 3], [4, 5]), CPU) == pytest.approx((V, V, V))
    assert perplexity(build(), rows([1, 2, 3, 4, 5, 6]), CPU)[0] == pytest.approx(V, rel=0.05)


def test_it_begins_at_the_shares_of_the_tokens() -> None:
    counts = count_tokens(rows([0, 0, 0, 1], [1]), 3)
    model = LanguageModel(EncoderShape(embedding_dim=2, hidden_size=2).sized(3), NONE, PLAIN, counts)
    with torch.no_grad():
        model.classifier.embedding.zero_()
    # Add one: 4/8, 3/8, 1/8; forward predicts 0 then 2, backward 0 then 1.
    forward, backward = math.sqrt(8 / 4 * 8), math.sqrt(8 / 4 * 8 / 3)
    expected = (math.sqrt(forward * backward), forward, backward)
    assert perplexity(model, rows([1, 0, 2]), CPU) == pytest.approx(expected, rel=1e-5)


def test_each_direction_predicts_the_next_token_in_its_own_order() -> None:
    batch = pad(rows([3, 4, 5, 6], [7, 8]))
    forward, backward = build().read(batch.ids_TB, batch.lengths_B)
    assert forward.targets_N.tolist() == [4, 8, 5, 6]
    assert backward.targets_N.tolist() == [5, 7, 4, 3]


def test_neither_direction_sees_the_token_that_it_predicts_or_what_follows() -> None:
    before, after = read(build(), rows([3, 4, 5, 6])), read(build(), rows([3, 4, 9, 9]))
    assert before[0][:2] == after[0][:2]  # forward, having read 3 and 3 4
    assert before[0][2] != after[0][2]
    backward_before, backward_after = read(build(), rows([3, 4, 5, 6]))[1], read(build(), rows([9, 9, 5, 6]))[1]
    assert backward_before[:2] == backward_after[:2]
    assert backward_before[2] != backward_after[2]


def test_the_backward_model_is_a_forward_model_of_reversed_text() -> None:
    model, mirrored = build(), build()
    with torch.no_grad():
        for mine, theirs in ((0, 1), (1, 0)):
            mirrored.classifier.encoder.recurrent(0, mine).load_state_dict(
                model.classifier.encoder.recurrent(0, theirs).state_dict()
            )
            mirrored.projections[mine].load_state_dict(model.projections[theirs].state_dict())
    texts = [[3, 4, 5, 6], [7, 8], [1, 2, 1]]
    _, forward, backward = perplexity(model, rows(*texts), CPU)
    _, *both = perplexity(mirrored, rows(*(text[::-1] for text in texts)), CPU)
    assert both == pytest.approx([backward, forward], rel=1e-6)
    assert forward != pytest.approx(backward, rel=1e-6)


def test_stacked_layers_of_one_direction_see_only_their_past() -> None:
    model = build(num_layers=2, bidirectional=False)
    before, after = read(model, rows([3, 4, 5, 6])), read(model, rows([3, 4, 9, 9]))
    assert len(before) == 1
    assert before[0][:2] == after[0][:2]


def test_a_window_is_predicted_alone_as_in_a_batch() -> None:
    model, texts = build(), rows([3, 4, 5, 6, 7, 8], [1, 2], [9, 10, 11])
    alone = np.mean([np.log(perplexity(model, [text], CPU)[0]) * (len(text) - 1) for text in texts]) * 3 / 8
    assert perplexity(model, texts, CPU)[0] == pytest.approx(math.exp(alone), rel=1e-5)


def test_activation_regularisation_by_hand() -> None:
    model = build(loop=PLAIN.model_copy(update={"activation": 2.0, "temporal": 3.0}), bidirectional=False)
    batch = pad(rows([3, 4, 5], [6, 7]))
    states = model.classifier.encoder.recurrent(0, 0)(model.classifier.eval().embed(batch.ids_TB))
    long, short = states[:, 0], states[:2, 1]
    taken = torch.stack([long[0], long[1], short[0]])
    changes = torch.stack([long[1] - long[0], long[2] - long[1], short[1] - short[0]])
    [reading] = model.eval().read(batch.ids_TB, batch.lengths_B)
    expected = 2 * (taken**2).mean() + 3 * (changes**2).mean()
    assert reading.penalty.item() == pytest.approx(expected.item(), rel=1e-5)


def test_equal_widths_need_no_projection() -> None:
    assert not list(build(hidden_size=5).projections.parameters())
    assert [p.shape for p in build().projections.parameters()] == [(5, 6), (5, 6)]


def grammar(count: int, seed: int) -> list[Ids]:
    """From each token follows the next but one, after a random first: forward and backward are certain."""
    starts = np.random.default_rng(seed).integers(0, V, count)
    return rows(*([int(start + 2 * i) % V for i in range(6)] for start in starts))


def trainer(loop: LanguageLoop, dropouts: LanguageDropouts = NONE) -> LanguageTrainer:
    return LanguageTrainer(build(dropouts, loop), grammar(200, 1), grammar(20, 2), seed=3, device=CPU)


@pytest.mark.parametrize("samples", [0, 6])
def test_a_deterministic_grammar_is_learned(samples: int) -> None:
    learning = trainer(PLAIN.model_copy(update={"softmax_samples": samples, "epochs": 15}))
    before = perplexity(learning.model, learning.validation, CPU)[0]
    assert learning.run()
    readings = [reading["validation"] for reading in learning.history]
    assert before == pytest.approx(V, rel=0.1)
    assert readings[-1] < 1.5
    assert readings[0] > readings[7] > readings[-1]
    assert perplexity(learning.model, learning.validation, CPU)[0] == learning.best == min(readings)


def assert_resumes(make: Callable[[], LanguageTrainer], folder: Path, stop_at: int) -> None:
    """A training that is stopped after `stop_at` steps and resumed from its state ends as one that never stopped."""
    whole, first, second = make(), make(), make()
    straight: list[float] = []
    whole.run(lambda progress: straight.append(progress.loss))
    torch.manual_seed(3)
    halves: list[float] = []
    assert not first.run(lambda progress: halves.append(progress.loss), lambda: len(halves) == stop_at)
    first.save_state(folder)
    second.load_state(folder)
    assert second.run(lambda progress: halves.append(progress.loss))
    assert halves == straight
    assert whole.cosines() == second.cosines()
    for name, weight in whole.model.state_dict().items():
        assert torch.equal(weight, second.model.state_dict()[name]), name


@pytest.mark.parametrize("stop_at", [1, 30])
def test_stopped_and_resumed_is_as_if_never_stopped(tmp_path: Path, stop_at: int) -> None:
    loop = PLAIN.model_copy(update={"softmax_samples": 4, "epochs": 2, "activation": 2.0, "temporal": 1.0})
    dropouts = LanguageDropouts(word=0.1, token=0.1, embedding=0.1, recurrent=0.2, output=0.2)
    assert_resumes(lambda: trainer(loop, dropouts), tmp_path, stop_at)


def test_a_loss_that_is_no_number_stops_the_run() -> None:
    broken = trainer(PLAIN)
    with torch.no_grad():
        broken.model.bias.fill_(float("nan"))
    with pytest.raises(RunError, match="the gradient is not finite"):
        broken.run()

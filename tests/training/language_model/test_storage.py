from collections.abc import Mapping

import pytest
import torch
from torch import Tensor

from model.network import to_arrays
from model.pretrained import unpacked
from training.language_model.storage import packed

WEIGHTS = {
    "embedding": torch.tensor([[1.0, -0.5, 0.003], [0.0, 0.0, 0.0], [1e-3, 2e-3, -1e-3]]),
    "layers.0.0.bias": torch.tensor([0.1, -2.0]),
    "vectors.0.weight": torch.tensor([[0.25, -4.0]]),
}


def read_back(stored: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: torch.tensor(weight) for name, weight in unpacked(to_arrays(stored)).items()}


def test_full_precision_is_kept_to_the_bit() -> None:
    back = read_back(packed(WEIGHTS, "float32"))
    assert all(torch.equal(back[name], weight) for name, weight in WEIGHTS.items())


@pytest.mark.parametrize("kind", ["float16", "int8"])
def test_less_precision_is_near(kind: str) -> None:
    stored = packed(WEIGHTS, kind)  # type: ignore[arg-type]
    back = read_back(stored)
    assert back.keys() == WEIGHTS.keys()
    assert stored["layers.0.0.bias"].dtype == torch.float16
    torch.testing.assert_close(back["layers.0.0.bias"], WEIGHTS["layers.0.0.bias"], rtol=1e-3, atol=0)
    for name in ("embedding", "vectors.0.weight"):
        largest = WEIGHTS[name].abs().amax(1, keepdim=True)
        assert bool(((back[name] - WEIGHTS[name]).abs() <= largest / 254 + 1e-7).all())


def test_an_8_bit_row_has_a_scale_of_its_own() -> None:
    stored = packed(WEIGHTS, "int8")
    assert stored["embedding"].dtype == torch.int8
    assert stored["embedding"].abs().amax(1).tolist() == [127, 0, 127]
    torch.testing.assert_close(stored["embedding.scales"], torch.tensor([1 / 127, 0, 2e-3 / 127]), rtol=1e-6, atol=0)

from pathlib import Path

import numpy as np
import pytest

from model.classifier import Classifier
from model.embedder import ALL, Embedder, load_embedder
from model.errors import ConfigError
from model.pretrained import load_encoder
from model.vectors import embed, unit_length
from tests.conftest import write_encoder

TEXTS = ["a good film", "", "难看的电影", "don't miss it!"]


def test_vectors_are_the_map_of_the_pooled_states(tiny_encoder: Path) -> None:
    folder = load_encoder(tiny_encoder)
    pooled_NP = embed(Classifier(folder.network, device="cpu"), TEXTS, normalize=False)
    for each in folder.maps:
        embedder = load_embedder(tiny_encoder, vectors=each.encoder, device="cpu")
        wanted = pooled_NP @ each.weight_DP.T + each.bias_D
        wanted[1] = 0  # no token, and not the bias
        np.testing.assert_allclose(embed(embedder, TEXTS, normalize=False), wanted, atol=1e-5)
        np.testing.assert_allclose(embed(embedder, TEXTS), unit_length(wanted), atol=1e-5)


def test_by_default_the_map_learned_with_most_texts(tiny_encoder: Path, tmp_path: Path) -> None:
    embedder = load_embedder(tiny_encoder, device="cpu")
    assert isinstance(embedder, Embedder)
    assert (embedder.maps, embedder.vector_size) == (("both",), 4)
    write_encoder(tmp_path / "other", maps={"english": (5, 300), "both": (4, 100)})
    other = load_embedder(tmp_path / "other", device="cpu")
    assert isinstance(other, Embedder)
    assert other.maps == ("english",)


def test_all_maps_side_by_side_count_the_same(tiny_encoder: Path) -> None:
    embedder = load_embedder(tiny_encoder, vectors=ALL, device="cpu")
    found = embed(embedder, TEXTS)
    assert found.shape == (len(TEXTS), 9)
    for name, part in (("english", found[:, :5]), ("both", found[:, 5:])):
        alone = embed(load_embedder(tiny_encoder, vectors=name, device="cpu"), TEXTS)
        np.testing.assert_allclose(part, alone * np.sqrt(0.5), atol=1e-5)


def test_without_maps_the_pooled_states(tmp_path: Path) -> None:
    write_encoder(tmp_path / "plain", maps={})
    embedder = load_embedder(tmp_path / "plain", device="cpu")
    assert (embedder.vector_size, embed(embedder, TEXTS).shape) == (36, (4, 36))
    with pytest.raises(ConfigError, match="there are no vectors 'both'; the folder has pooled"):
        load_embedder(tmp_path / "plain", vectors="both", device="cpu")


def test_pooled_states_by_their_name(tiny_encoder: Path) -> None:
    embedder = load_embedder(tiny_encoder, vectors="pooled", device="cpu")
    assert isinstance(embedder, Embedder)
    assert (embedder.maps, embedder.vector_size) == (("pooled",), 36)
    wanted = embed(Classifier(load_encoder(tiny_encoder).network, device="cpu"), TEXTS)
    np.testing.assert_array_equal(embed(embedder, TEXTS), wanted)


def test_a_name_that_is_not_there(tiny_encoder: Path, tiny_checkpoint: Path) -> None:
    with pytest.raises(ConfigError, match="there are no vectors 'x'; the folder has english, both, all, pooled"):
        load_embedder(tiny_encoder, vectors="x", device="cpu")
    with pytest.raises(ConfigError, match="is a checkpoint of a classifier"):
        load_embedder(tiny_checkpoint, vectors="both", device="cpu")


def test_long_texts_are_cut(tiny_encoder: Path) -> None:
    embedder = load_embedder(tiny_encoder, device="cpu")
    (cut,) = embedder.encode(["good " * 100])
    assert (cut.num_tokens, cut.truncated) == (32, True)
    embedder.warm_up()

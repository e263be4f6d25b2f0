"""The folder of a pre-training, for `train --start`: files that a person can read and that cannot run code.

| file | holds |
| --- | --- |
| `config.json` | `PretrainedConfig` |
| `model.safetensors` | embedding and recurrent layers under the names of a classifier's, and what else was learned |
| `tokenizer.json` | the whole text pipeline |
| `metrics.json` | `PretrainRecord` |
| `README.md` | the card |
| `SHA256SUMS` | a digest of each |

Learned beside the layers: the bias of the softmax and its projections, and the linear maps from pooled states to the
sentence vectors that were imitated (`VectorMap`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from pydantic import Field, ValidationError
from tokenizers import Tokenizer
from torch import Tensor

from model.checkpoint import (
    CARD,
    CONFIG,
    METRICS,
    TOKENIZER,
    WEIGHTS,
    check_tokenizer,
    check_weights,
    model_contents,
    parse_config,
    parse_tokenizer,
    parse_weights,
)
from model.config import FORMAT_VERSION, Frozen
from model.errors import CheckpointDamaged, CheckpointIncompatible
from model.folder import DIGESTS, as_json, parse_json, read_folder, version_of, write_folder
from model.network import RecurrentClassifier, to_arrays
from model.parameters import Shape
from model.pretrained import FILES, KIND, VectorMap, unpacked
from training.data.corpus import DataFile
from training.data.tokenizer import TokenizerConfig
from training.language_model.config import (
    EncoderShape,
    LanguageDropouts,
    LanguageLoop,
    VectorsConfig,
    WeightFormat,
)
from training.language_model.model import LanguageModel
from training.language_model.sentence_loss import SentenceLoss
from training.language_model.storage import packed


class PretrainedConfig(Frozen):
    """The content of the folder's `config.json`.

    Attributes:
        kind: tells the folder from a checkpoint, which has none.
        vocab_size: V, tokens.
        tokenizer: the settings that the tokenizer was made with.
        architecture: of the layers.
        vectors: the maps to sentence vectors; none if none were imitated.
    """

    format_version: Annotated[int, Field(ge=1)] = FORMAT_VERSION
    kind: Literal["language_model"] = KIND
    vocab_size: Annotated[int, Field(ge=1)]
    tokenizer: TokenizerConfig
    architecture: EncoderShape
    vectors: tuple[VectorMap, ...] = ()


class Perplexity(Frozen):
    """Perplexity of the validation texts: before the first step and at the end, then of each direction at the end.

    Attributes:
        before, after: both directions together.
        forward, backward: at the end; None where there is no such direction.
        tokens: that it was measured on.
    """

    before: float
    after: float
    forward: float
    backward: float | None
    tokens: int


class Imitated(Frozen):
    """An encoder whose sentence vectors were imitated.

    Attributes:
        encoder: its name.
        texts: learned from that have a vector of it.
        cosine_before, cosine: mean over the validation texts of the cosine between the vectors, both centred.
    """

    encoder: str
    texts: int
    cosine_before: float
    cosine: float


class PretrainRecord(Frozen):
    """The content of the folder's `metrics.json`.

    Attributes:
        created: date and time, UTC, ISO 8601.
        command: does the same again, given the same files.
        texts: distinct texts learned from.
        num_withheld: texts left out because they stand in files that were to be left out.
        tokens: in the texts learned from.
        tokens_read: in all epochs together.
        seconds: in the loop, validation included, over all resumptions.
        history: the readings of the validation perplexity; with vectors, of the validation loss.
        imitated: of each encoder; none without vectors.
        config: every setting, by dotted key.
    """

    created: str
    command: str
    seed: int
    perplexity: Perplexity
    texts: int
    num_withheld: int
    tokens: int
    tokens_read: int
    seconds: float
    tokens_per_s: float
    steps: int
    device: str
    threads: int
    machine: str
    history: list[dict[str, float]]
    data: dict[str, DataFile]
    config: dict[str, Any]
    code: dict[str, str | None]
    libraries: dict[str, str]
    imitated: tuple[Imitated, ...] = ()


@dataclass(frozen=True, slots=True)
class Pretrained:
    """The layers that the folder holds.

    Attributes:
        name: of the folder.
        version: first 12 hex digits of its digest.
    """

    name: str
    config: PretrainedConfig
    weights: Mapping[str, Tensor]
    tokenizer: Tokenizer
    record: PretrainRecord
    version: str

    def settings(self) -> dict[str, Any]:
        """The settings of a run that starts here: nested, as `training.config.config.build_config` takes them.

        How long a text may be is the run's own to say.
        """
        return {
            "tokenizer": self.config.tokenizer.model_dump(exclude={"max_tokens"}),
            "architecture": self.config.architecture.model_dump() | {"conv_width": 0},
        }

    def maps(self) -> list[tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]]:
        """Weight [D, P] and bias [D] of the map to the vectors of each encoder that was imitated."""
        places = range(len(self.config.vectors))
        names = [(f"vectors.{place}.weight", f"vectors.{place}.bias") for place in places]
        return [(self.weights[weight].float().numpy(), self.weights[bias].float().numpy()) for weight, bias in names]

    def fill(self, network: RecurrentClassifier) -> None:
        """Puts embedding and recurrent layers into a classifier of the same shape."""
        with torch.no_grad():
            for name, weight in network.weights().items():
                if name in self.weights:
                    weight.copy_(self.weights[name])


def save_pretrained(
    directory: Path,
    config: PretrainedConfig,
    weights: Mapping[str, Tensor],
    tokenizer: Tokenizer,
    record: PretrainRecord,
    card: str,
    *,
    kind: WeightFormat = "float32",
) -> str:
    """Writes the folder whole or not at all, its weights in the number format `kind`, and returns its version.

    Raises:
        CheckpointError: something else stands at `directory`; it is left as it is.
    """
    contents = model_contents(config, to_arrays(packed(weights, kind)), tokenizer)
    contents |= {METRICS: as_json(record.model_dump(mode="json")), CARD: card.encode()}
    return write_folder(directory, contents)


def load_pretrained(directory: Path) -> Pretrained:
    """Reads and verifies a folder; runs nothing that is in it.

    Raises:
        CheckpointMissing: the folder or a file of it is not there.
        CheckpointDamaged: a file does not match its digest or is not what its name says.
        CheckpointIncompatible: it is a checkpoint, its format is newer, or the files contradict each other.
    """
    contents = read_folder(directory, FILES)
    path = directory / CONFIG
    if parse_json(path, contents[CONFIG]).get("kind") != KIND:
        raise CheckpointIncompatible(path, "was not written by pretrain; --start needs the folder of a pre-training")
    config = parse_config(path, contents[CONFIG], PretrainedConfig)
    tokenizer = parse_tokenizer(directory / TOKENIZER, contents[TOKENIZER])
    check_tokenizer(directory / TOKENIZER, tokenizer, config.vocab_size)
    stored = parse_weights(directory / WEIGHTS, contents[WEIGHTS])
    arrays = unpacked(stored)
    check_weights(directory / WEIGHTS, arrays, _wanted(config))
    weights = {name: torch.tensor(weight) for name, weight in arrays.items()}
    try:
        record = PretrainRecord.model_validate_json(contents[METRICS])
    except ValidationError as error:
        cause = f"is not the record of a pre-training ({error.error_count()} problem(s))"
        raise CheckpointDamaged(directory / METRICS, cause) from None
    return Pretrained(directory.resolve().name, config, weights, tokenizer, record, version_of(contents[DIGESTS]))


def _wanted(config: PretrainedConfig) -> dict[str, Shape]:
    """Shape of each weight, by name."""
    architecture = config.architecture.sized(config.vocab_size)
    counts_V = torch.ones(config.vocab_size, device="meta")
    with torch.device("meta"):
        model = LanguageModel(architecture, LanguageDropouts(), LanguageLoop(), counts_V)
        maps = SentenceLoss(model.pooled_size, [each.width for each in config.vectors], VectorsConfig())
    return {name: tuple(weight.shape) for name, weight in (model.stored() | maps.stored()).items()}

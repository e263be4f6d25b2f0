"""An encoder with a linear head over the mean of its tokens: the classifier that `teach` fine-tunes.

The folder is the encoder's, as `transformers` writes it, and two files more: `head.json` and `head.safetensors`.

Shape suffixes: B batch, T time steps, D encoder width times layers read, C labels.
"""

from collections.abc import Sequence
from pathlib import Path

import torch
from pydantic import ValidationError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from model.config import Frozen
from model.folder import replacing_folder
from training.errors import UsageError
from training.teachers.hugging_face import PreTrained, PreTrainedTokenizer, load_hugging_face

HEAD = "head.json"
HEAD_WEIGHTS = "head.safetensors"
DROPOUT = 0.1


class Head(Frozen):
    """The head of a pooled classifier, and how its texts are read.

    Attributes:
        labels: in the order of the logits.
        prefix: put before each text, with a space; e5 wants `query:`.
        layers: hidden states whose means the head reads side by side, 0 being the embedding; none for the last alone.
    """

    labels: tuple[str, ...]
    prefix: str = ""
    layers: tuple[int, ...] = ()


class PooledClassifier(nn.Module):
    """Logits from the mean over a text's tokens, special ones included.

    Source of the pooling: Reimers & Gurevych 2019 (Sentence-BERT), section 3.

    Args:
        encoder: a model of `transformers`.
        head: labels and layers.

    Raises:
        UsageError: the encoder does not have those layers.
    """

    def __init__(self, encoder: PreTrained, head: Head) -> None:
        super().__init__()
        num_layers = int(encoder.config.num_hidden_layers)
        if any(not 0 <= layer <= num_layers for layer in head.layers):
            raise UsageError(f"layers={list(head.layers)}: the encoder has hidden states 0 to {num_layers}")
        self.encoder: PreTrained = encoder
        self.head = head
        self.dropout = nn.Dropout(DROPOUT)
        width = int(encoder.config.hidden_size) * max(1, len(head.layers))
        self.classifier = nn.Linear(width, len(head.labels))

    def forward(self, ids_BT: Tensor, mask_BT: Tensor) -> Tensor:
        """Computes logits [B, C]."""
        layers = self.head.layers
        output = self.encoder(input_ids=ids_BT, attention_mask=mask_BT, output_hidden_states=bool(layers))
        states = [output.hidden_states[layer] for layer in layers] if layers else [output.last_hidden_state]
        pooled_BD = mean_over_tokens(states, mask_BT)
        with torch.autocast(ids_BT.device.type, enabled=False):  # in bfloat16 a logit of 4 would be in steps of 1/64
            logits_BC: Tensor = self.classifier(self.dropout(pooled_BD))
        return logits_BC

    def save(self, folder: Path, tokenizer: PreTrainedTokenizer) -> None:
        """Writes weights, configuration, tokenizer and head, whole or not at all, in place of what stands there."""
        head = {name: tensor.cpu() for name, tensor in self.classifier.state_dict().items()}
        with replacing_folder(folder) as partial:
            self.encoder.save_pretrained(partial)
            tokenizer.save_pretrained(partial)
            save_file(head, partial / HEAD_WEIGHTS)
            (partial / HEAD).write_text(self.head.model_dump_json(indent=2) + "\n", encoding="utf-8")


def mean_over_tokens(states: Sequence[Tensor], mask_BT: Tensor) -> Tensor:
    """The means of hidden states [B, T, D] over each text's tokens, side by side, float32."""
    weights_BT1 = mask_BT.unsqueeze(2).float()
    return torch.cat([(state_BTD * weights_BT1).sum(1) for state_BTD in states], 1) / weights_BT1.sum(1)


def is_pooled(folder: Path) -> bool:
    """True if the folder holds a pooled classifier."""
    return (folder / HEAD).is_file()


def load_pooled(folder: Path) -> tuple[PooledClassifier, PreTrainedTokenizer]:
    """The pooled classifier in `folder`, and its tokenizer.

    Raises:
        UsageError: transformers is missing, or the folder is damaged.
    """
    encoder, tokenizer = load_hugging_face(folder, "AutoModel")
    try:
        model = PooledClassifier(encoder, Head.model_validate_json((folder / HEAD).read_bytes()))
        model.classifier.load_state_dict(load_file(folder / HEAD_WEIGHTS))
    except (OSError, ValidationError, RuntimeError) as error:
        raise UsageError(f"{folder}: no whole classifier: {error}") from error
    return model, tokenizer


def start_pooled(folder: Path, head: Head) -> tuple[PooledClassifier, PreTrainedTokenizer]:
    """The encoder in `folder` with a new head, or with the one that stands there if labels and layers are the same.

    Raises:
        UsageError: see `load_hugging_face`.
    """
    if is_pooled(folder):
        model, tokenizer = load_pooled(folder)
        if (model.head.labels, model.head.layers) == (head.labels, head.layers):
            model.head = head
            return model, tokenizer
        return PooledClassifier(model.encoder, head), tokenizer
    encoder, tokenizer = load_hugging_face(folder, "AutoModel")
    return PooledClassifier(encoder, head), tokenizer

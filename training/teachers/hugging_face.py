"""Loads and runs encoders of the `transformers` package, always from a local folder.

Shape suffixes: N texts, B batch, T time steps, K labels.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from model.batch import plan_batches
from model.device import fastest_dtype
from model.padding import pad
from training.errors import UsageError

Floats = npt.NDArray[np.float32]

PreTrained = Any
"""A model of `transformers`; untyped here, for the package is an extra."""

PreTrainedTokenizer = Any
"""The model's tokenizer."""

Forward = Callable[[Tensor, Tensor], Tensor]
"""Logits [B, K] from token ids [B, T] and an attention mask [B, T], ones where there is a token."""

BATCH_TOKENS = {"cpu": 4096, "cuda": 65536}
"""Padded tokens of a batch in evaluation, by device: the size from which throughput grows no more."""


def import_transformers() -> Any:
    """Imports the package `transformers`, or says what to install.

    Raises:
        UsageError: it is not installed.
    """
    try:
        import transformers
    except ModuleNotFoundError as error:
        raise UsageError(
            "a Hugging Face model needs the package transformers, which is not installed (pip install transformers)"
        ) from error
    return transformers


def load_hugging_face(
    folder: Path, kind: str, *, complete: bool = False, **options: Any
) -> tuple[PreTrained, PreTrainedTokenizer]:
    """The model of class `kind` in `folder`, and its tokenizer. Nothing is fetched and no code in the folder is run.

    Args:
        folder: written by `transformers`.
        kind: name of one of its `Auto…` classes.
        complete: refuse a folder that lacks some of the weights, which would be random.
        options: for `from_pretrained`.

    Raises:
        UsageError: transformers is missing or cannot load the folder.
    """
    transformers = import_transformers()
    if not folder.exists():
        raise UsageError(f"{folder}: there is no such file or folder")
    if not (folder / "config.json").is_file():
        raise UsageError(f"{folder}: not a model's folder; there is no config.json")
    transformers.logging.disable_progress_bar()
    transformers.logging.set_verbosity_error()
    try:
        model, loading = getattr(transformers, kind).from_pretrained(
            folder, local_files_only=True, output_loading_info=True, **options
        )
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, KeyError, ImportError, RuntimeError) as error:
        raise UsageError(f"{folder}: transformers cannot load it: {error}") from error
    if complete and loading["missing_keys"]:
        lacking = ", ".join(sorted(loading["missing_keys"]))
        raise UsageError(f"{folder}: no classifier, or not a whole one; there are no weights for {lacking}")
    return model, tokenizer


def token_ids(
    tokenizer: PreTrainedTokenizer, texts: Sequence[str], *, max_tokens: int, prefix: str = ""
) -> list[list[int]]:
    """Token ids of each text with the model's special tokens, cut to `max_tokens`; after `prefix` if there is one."""
    ids: list[list[int]] = tokenizer(
        [f"{prefix} {text}" for text in texts] if prefix else list(texts),
        truncation=True,
        max_length=max_tokens,
        return_attention_mask=False,
        return_token_type_ids=False,
    )["input_ids"]
    return ids


def padded(ids: Sequence[Sequence[int]], pad_id: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Token ids [B, T], padded on the right with `pad_id`, and the attention mask [B, T], both int64 on `device`."""
    batch = pad([np.asarray(row, dtype=np.int32) for row in ids])
    ids_BT = batch.ids_TB.T
    mask_BT = torch.arange(ids_BT.shape[1]) < batch.lengths_B[:, None]
    ids_BT = ids_BT.masked_fill(~mask_BT, pad_id)
    return ids_BT.to(device, non_blocking=True), mask_BT.long().to(device, non_blocking=True)


def autocast(device: torch.device) -> torch.autocast:
    """Context in which matrix products run in bfloat16 where the device has it, and in float32 elsewhere."""
    dtype = fastest_dtype(device)
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=dtype == torch.bfloat16)


def predict(
    forward: Forward, ids: Sequence[Sequence[int]], *, pad_id: int, device: torch.device, max_tokens: int | None = None
) -> Floats:
    """Logits [N, K] of texts given as token ids, in their order.

    Texts of like length share a batch. The results stay on the device until all are there, so that it never waits.

    Args:
        forward: a model in evaluation mode.
        ids: at least one text.
        pad_id: token that fills the shorter rows.
        device: where the model is.
        max_tokens: bound on the padded tokens of a batch.  [default: `BATCH_TOKENS`]
    """
    lengths_N = np.array([len(row) for row in ids], dtype=np.int64)
    bound = max_tokens or BATCH_TOKENS.get(device.type, BATCH_TOKENS["cpu"])
    batches = list(plan_batches(lengths_N, max_tokens=bound))
    with torch.inference_mode(), autocast(device):
        found = [forward(*padded([ids[i] for i in rows], pad_id, device)).float() for rows in batches]
    logits_NK: Floats = np.zeros((len(ids), found[0].shape[1]), dtype=np.float32)
    logits_NK[np.concatenate(batches)] = torch.cat(found).cpu().numpy()
    return logits_NK

"""Sentence vectors of texts by an encoder of `transformers`, for a network that imitates them.

Shape suffixes: N texts, B batch, T time steps, D width of a vector.
"""

import hashlib
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from model.files import replacing
from training.data.column_names import TEXT, written
from training.data.files import check_apart
from training.data.sentence_vectors import Halves, VectorSource, join_vector_files, write_vector_file
from training.data.unlabeled import read_unlabeled
from training.errors import RunError
from training.teachers.hugging_face import load_hugging_face, predict, token_ids
from training.teachers.labelling import Labelled, Report
from training.teachers.pooled import mean_over_tokens
from training.teachers.teacher import folder_digest

PART_TEXTS = 2048
"""A broken run loses the work on one part at most: half a minute of a large encoder on one core."""


class SentenceEncoder:
    """The mean over a text's last hidden states, special tokens included, scaled to length 1.

    So sentence encoders such as all-mpnet-base-v2 and multilingual-e5-small are meant to be read. Matrix products run
    in bfloat16 where the device has it.

    Source: Reimers & Gurevych 2019 (Sentence-BERT), section 3.

    Args:
        folder: weights, configuration and tokenizer.
        max_tokens: longer texts are cut; special tokens count.
        prefix: put before each text, with a space; e5 wants `query:`.
        device: where it runs.

    Raises:
        UsageError: transformers is missing or cannot load the folder.
    """

    def __init__(self, folder: Path, *, max_tokens: int, prefix: str, device: torch.device) -> None:
        model, self._tokenizer = load_hugging_face(folder, "AutoModel")
        self._model = model.to(device).eval()
        self._max_tokens, self._prefix, self._device = max_tokens, prefix, device
        self.source = VectorSource(folder.resolve().name, folder_digest(folder, str(max_tokens), prefix))

    def vectors(self, texts: Sequence[str]) -> Halves:
        """Vectors [N, D] of at least one text."""
        ids = token_ids(self._tokenizer, texts, max_tokens=self._max_tokens, prefix=self._prefix)
        return predict(self._forward, ids, pad_id=self._tokenizer.pad_token_id, device=self._device).astype(np.float16)

    def _forward(self, ids_BT: Tensor, mask_BT: Tensor) -> Tensor:
        states_BTD = self._model(input_ids=ids_BT, attention_mask=mask_BT).last_hidden_state
        return F.normalize(mean_over_tokens([states_BTD], mask_BT), dim=1)


def write_vectors(
    encoder: SentenceEncoder,
    files: Sequence[Path],
    output: Path,
    *,
    text_column: str | None,
    shard: tuple[int, int] = (1, 1),
    report: Report = lambda _: None,
) -> int:
    """Writes the vectors of the texts of `files`, each once, the shortest first.

    What is done stands in the folder `output.parts` until the end: the same call goes on after a break.

    Args:
        encoder, files, output: see above.
        text_column: see `read_unlabeled`; that of the output is called as `column_names.written` says.
        shard: K and N to take every N-th of these texts, from the K-th on.
        report: called after each part, also after those of an earlier call.

    Returns:
        The number of texts.

    Raises:
        TableError: a file cannot be read.
        UsageError: `output` is one of the files.
        RunError: a vector is not finite.
    """
    check_apart(output, files)
    found = dict.fromkeys(text for path in files for text in read_unlabeled(path, text_column=text_column))
    texts = sorted(list(found)[shard[0] - 1 :: shard[1]], key=len)
    folder = output.with_name(f"{output.name}.parts")
    folder.mkdir(parents=True, exist_ok=True)
    paths, num_new, began = [], 0, time.perf_counter()
    for start in range(0, len(texts), PART_TEXTS):
        part = texts[start : start + PART_TEXTS]
        paths.append(folder / f"{_part_name(encoder.source, part)}.parquet")
        if not paths[-1].exists():
            _write_part(encoder, part, paths[-1], written(text_column, TEXT))
            num_new += len(part)
        rate = num_new / max(time.perf_counter() - began, 1e-9)
        report(Labelled(encoder.source.name, start + len(part), len(texts), rate))
    with replacing(output) as partial:
        join_vector_files(paths, partial)
    shutil.rmtree(folder)
    return len(texts)


def _part_name(source: VectorSource, texts: Sequence[str]) -> str:
    digest = hashlib.sha256(source.digest.encode())
    for text in texts:
        digest.update(text.encode("utf-8", "surrogatepass") + b"\0")
    return digest.hexdigest()[:24]


def _write_part(encoder: SentenceEncoder, texts: Sequence[str], path: Path, text_column: str) -> None:
    vectors_ND = encoder.vectors(texts)
    if not np.isfinite(vectors_ND).all():
        raise RunError(f"encoder {encoder.source.name} gives vectors that are not finite; check its weights")
    with replacing(path) as partial:
        write_vector_file(partial, texts, vectors_ND, encoder.source, text_column=text_column)

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers

from model.classifier import Classifier
from tests.training.teachers.hugging_face import write_classifier, write_encoder
from training.errors import UsageError
from training.evaluation.evaluate import logits_of
from training.teachers.teacher import (
    HuggingFaceTeacher,
    SluiceTeacher,
    check_mapping,
    columns_for,
    digest_of,
    load_teacher,
    student_logits,
)

CPU = torch.device("cpu")
TEXTS = ["good film", "a very very bad film .", "", "not good !", "好", "the " * 100]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_classifier(tmp_path_factory.mktemp("teachers") / "tiny-bert")


def test_logits_are_those_of_transformers_text_by_text(folder: Path) -> None:
    model = transformers.AutoModelForSequenceClassification.from_pretrained(folder).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    logits = load_teacher(folder, max_tokens=20, device=CPU).logits(TEXTS)
    assert len({tuple(row) for row in logits.round(3).tolist()}) > 3
    for text, row in zip(TEXTS, logits, strict=True):
        inputs = tokenizer(text, truncation=True, max_length=20, return_tensors="pt")
        with torch.inference_mode():
            expected = model(**inputs).logits[0].numpy()
        np.testing.assert_allclose(row, expected, rtol=0.05, atol=0.1)


def test_a_sluice_checkpoint_is_a_teacher(tiny_checkpoint: Path) -> None:
    teacher = load_teacher(tiny_checkpoint, max_tokens=20, device=CPU)
    assert isinstance(teacher, SluiceTeacher)
    assert (teacher.name, teacher.labels) == ("tiny", ("negative", "positive"))
    classifier = Classifier.load(tiny_checkpoint)
    np.testing.assert_allclose(teacher.logits(TEXTS), logits_of(classifier, classifier.encode(TEXTS)), atol=1e-6)


def test_labels_are_matched_by_name_or_as_told(folder: Path, tmp_path: Path) -> None:
    teacher = load_teacher(folder, max_tokens=20, device=CPU)
    assert teacher.labels == ("negative", "positive")
    assert columns_for(teacher, ("Positive", "Negative"), {}) == [[1], [0]]
    unnamed = load_teacher(write_classifier(tmp_path / "x", ("LABEL_0", "LABEL_1")), max_tokens=20, device=CPU)
    assert columns_for(unnamed, ("good", "bad"), {"good": ("LABEL_1",), "bad": ("label_0",)}) == [[1], [0]]
    with pytest.raises(UsageError, match="no label 'good'; it has LABEL_0, LABEL_1"):
        columns_for(unnamed, ("good", "bad"), {"bad": ("LABEL_0",)})
    with pytest.raises(UsageError, match="mapped twice"):
        columns_for(unnamed, ("good", "bad"), {"good": ("LABEL_0",), "bad": ("LABEL_0",)})


def test_teachers_with_other_names_share_a_mapping(folder: Path, tmp_path: Path) -> None:
    two = load_teacher(folder, max_tokens=20, device=CPU)
    three = load_teacher(write_classifier(tmp_path / "x", ("bad", "good", "great")), max_tokens=20, device=CPU)
    mapping = {"positive": ("positive", "good", "great"), "negative": ("negative", "bad")}
    check_mapping([two, three], mapping)
    assert columns_for(two, ("positive", "negative"), mapping) == [[1], [0]]
    assert columns_for(three, ("positive", "negative"), mapping) == [[1, 2], [0]]
    with pytest.raises(UsageError, match="…=graet: no teacher has that label; there are bad, good, great"):
        check_mapping([three], {"positive": ("good", "graet")})


def test_one_label_may_be_several_of_the_teachers() -> None:
    probabilities_NK = np.array([[0.1, 0.2, 0.3, 0.4]], dtype=np.float32)
    logits_NC = student_logits(np.log(probabilities_NK) + 5, [[0, 1], [3]])
    assert logits_NC.dtype == np.float32
    np.testing.assert_allclose(np.exp(logits_NC - 5), [[0.3, 0.4]], rtol=1e-6)


def test_the_digest_changes_with_weights_and_length(folder: Path, tmp_path: Path) -> None:
    def digest(where: Path, max_tokens: int) -> str:
        return load_teacher(where, max_tokens=max_tokens, device=CPU).digest

    assert digest(folder, 20) == digest(folder, 20)
    assert digest(folder, 20) != digest(folder, 21)
    assert digest(folder, 20) != digest(write_classifier(tmp_path / "other", seed=1), 20)
    assert digest_of([b"ab", b"c"]) != digest_of([b"a", b"bc"])


def test_what_cannot_be_loaded_is_refused(tmp_path: Path) -> None:
    for name in ("teacher", "labels.parquet"):
        with pytest.raises(UsageError, match=f"{name}: there is no such file or folder"):
            load_teacher(tmp_path / name, max_tokens=20, device=CPU)
    with pytest.raises(UsageError, match="not a model's folder"):
        load_teacher(tmp_path, max_tokens=20, device=CPU)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(UsageError, match="transformers cannot load it"):
        load_teacher(tmp_path, max_tokens=20, device=CPU)


def test_an_encoder_without_a_head_is_no_teacher(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no classifier"):
        load_teacher(write_encoder(tmp_path / "encoder"), max_tokens=20, device=CPU)


def test_without_transformers_the_package_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(UsageError, match="pip install transformers"):
        HuggingFaceTeacher(folder, max_tokens=20, device=CPU)

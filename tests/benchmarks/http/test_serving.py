import random
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from benchmarks.http import serving
from benchmarks.lib.packed import PackedClassifier
from benchmarks.lib.shipped import SHIPPED
from benchmarks.lib.texts import sentences
from model.classifier import Classifier


def test_the_reference_computes_the_same() -> None:
    texts = sentences(20, random.Random(1))
    exact = Classifier.load(SHIPPED, device="cpu", dtype="float32")
    probabilities = exact.predict(texts)
    for row, prediction in zip(probabilities, PackedClassifier(threads=1).predict(texts), strict=True):
        assert prediction["label"] == exact.labels[row.argmax()]
        assert prediction["score"] == pytest.approx(row.max(), abs=1e-5)


def test_a_server_that_cannot_be_run_is_left_out_with_the_reason() -> None:
    assert serving.missing(None, "litserve") == "name a Python that has it with --python-litserve"
    assert "no_such_module" in (serving.missing(sys.executable, "no_such_module") or "")
    assert "No such file" in (serving.missing("/no/such/python", "litserve") or "")
    assert serving.missing(sys.executable, "json") is None
    pythons: dict[str, str | None] = {"litserve": None, "bentoml": None, "ray": None}
    found, left_out = serving.contenders(SHIPPED, 2, 1, ["--workers=2"], pythons, "scratch")
    assert [contender.name for contender in found] == ["bare", "sluice", "fastapi"]
    assert set(left_out) == {"litserve", "bentoml", "ray"}
    assert list(found[1].command(1234))[-2:] == ["--threads=2", "--workers=2"]
    assert list(found[2].command(1234))[-3:] == ["1234", "1", str(SHIPPED)]
    assert "--port=1234" in found[1].command(1234)


def test_called_without_a_file_it_only_explains_itself() -> None:
    done = CliRunner().invoke(serving.main, [])
    assert done.exit_code == 0
    assert "--python-litserve" in done.output


def test_without_wrk_it_says_what_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    done = CliRunner().invoke(serving.main, ["texts.txt"])
    assert done.exit_code == 1
    assert "wrk is not installed" in done.output

import hashlib
from pathlib import Path

import pytest

import training.data.corpus
from tables.errors import MissingColumnError
from training.data.config import DataConfig
from training.data.corpus import Corpus, read_corpus
from training.errors import DataError, UsageError

TRAIN = [(f"text number {i}", "ab"[i % 2]) for i in range(40)]


def write(path: Path, rows: list[tuple[str, str]]) -> str:
    path.write_text("text,label\n" + "".join(f"{text},{label}\n" for text, label in rows), encoding="utf-8")
    return str(path)


def read(root: Path, **files: str | tuple[str, ...] | float | None) -> Corpus:
    return read_corpus(DataConfig.model_validate(files), seed=0, data_root=root)


def test_roles_and_their_digests(tmp_path: Path) -> None:
    corpus = read(
        tmp_path, train=write(tmp_path / "train.csv", TRAIN), test=write(tmp_path / "test.csv", [("new", "b")])
    )
    assert corpus.labels == ("a", "b")
    assert {role: file.rows for role, file in corpus.files.items()} == {"train": 36, "validation": 4, "test": 1}
    assert corpus.files["test"].labels == {"a": 0, "b": 1}
    assert corpus.files["test"].sha256 == hashlib.sha256((tmp_path / "test.csv").read_bytes()).hexdigest()
    assert corpus.files["validation"].file == "train.csv"
    assert list(corpus.held_out) == ["validation", "test"]
    assert corpus.warnings == [
        "only 4 validation texts: figures from so few say little",
        "only 1 test text: figures from so few say little",
        "no test text has the label(s) a",
    ]


def test_what_is_wrong_with_the_data_is_said(tmp_path: Path) -> None:
    train = [*TRAIN, ("Text NUMBER 1!", "a"), ("  ", "a"), ("odd", "rare")]
    corpus = read(
        tmp_path,
        train=write(tmp_path / "train.csv", train),
        validation=write(tmp_path / "validation.csv", [("text-number-3", "b"), ("other", "a")]),
    )
    assert corpus.warnings == [
        "1 row without a text left out (row 42 (line 43))",
        "only 2 validation texts: figures from so few say little",
        (
            "1 of 2 validation texts are also in the training set (case and punctuation aside): "
            "validation scores flatter the model"
        ),
        "no validation text has the label(s) rare",
        "2 training texts occur more than once with different labels",
        "label(s) with fewer than 10 training texts: rare (1)",
    ]


@pytest.mark.parametrize("role", ["validation", "test"])
def test_a_label_that_training_lacks_is_refused(tmp_path: Path, role: str) -> None:
    other = write(tmp_path / "other.csv", [("x", "a"), ("y", "c")])
    expected = (
        r"other\.csv, row 2 \(line 3\), column 'label': label 'c' is unknown; .*; correct these labels, or delete"
    )
    with pytest.raises(DataError, match=expected):
        read(tmp_path, **{"train": write(tmp_path / "train.csv", TRAIN), role: other})


def test_one_label_and_lists_of_labels_do_not_mix(tmp_path: Path) -> None:
    lists = tmp_path / "lists.jsonl"
    lists.write_text('{"text": "x", "label": ["a"]}\n', encoding="utf-8")
    with pytest.raises(DataError, match=r"has lists of labels, but .* has one label a text"):
        read(tmp_path, train=write(tmp_path / "train.csv", TRAIN), validation=str(lists))


def test_held_out_files_are_read_by_the_columns_of_the_training_file(tmp_path: Path) -> None:
    train = tmp_path / "train.csv"
    rows = "".join(f"text number {i} here,{int(i % 3 == 0)},{int(i % 2)}\n" for i in range(40))
    train.write_text("review,food,room\n" + rows, encoding="utf-8")
    test = tmp_path / "test.csv"
    test.write_text("label,review,room,food\nx,all new,1,0\ny,others,0,1\n", encoding="utf-8")
    corpus = read(tmp_path, train=str(train), test=str(test))
    assert corpus.test is not None
    assert (corpus.task, corpus.test.labels) == ("multi_label", [("room",), ("food",)])


def test_probabilities_and_sets_of_labels_exclude_each_other(tmp_path: Path) -> None:
    train = tmp_path / "train.csv"
    train.write_text(
        "text,source,a,b\n" + "".join(f"text {i},s,0.{i},0.{10 - i}\n" for i in range(1, 10)), encoding="utf-8"
    )
    with pytest.raises(DataError, match=r"column 'a, b': has probabilities of labels, which cannot be judged among"):
        read(tmp_path, train=str(train), label_column="a,b", source_column="source")


def test_a_missing_public_file_says_where_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"say where it is with --data-root or SLUICE_DATA, or get it from example.org"):
        read(tmp_path, train=str(tmp_path / "none.parquet"), source="example.org")
    with pytest.raises(UsageError, match="give --train FILE"):
        read(tmp_path)


def test_several_files_are_one_table(tmp_path: Path) -> None:
    parts = [write(tmp_path / f"part-{number}.csv", TRAIN[number::3]) for number in range(3)]
    by_name, by_pattern = read(tmp_path, train=tuple(parts)), read(tmp_path, train=str(tmp_path / "part-*.csv"))
    assert sorted(by_name.train.texts + by_name.validation.texts) == sorted(text for text, _ in TRAIN)
    assert by_pattern.train.texts == by_name.train.texts
    assert by_name.files["train"].file == "part-0.csv, part-1.csv, part-2.csv"
    assert by_pattern.files["train"].file == "part-*.csv"
    assert by_pattern.files["train"].sha256 == by_name.files["train"].sha256


def test_an_error_in_one_of_several_files_names_that_file(tmp_path: Path) -> None:
    good, bad = (
        write(tmp_path / "good.csv", [("a new text", "a")]),
        write(tmp_path / "bad.csv", [("x", "a"), ("y", "c")]),
    )
    with pytest.raises(DataError, match=r"bad\.csv, row 2 \(line 3\), column 'label': label 'c' is unknown") as caught:
        read(tmp_path, train=write(tmp_path / "train.csv", TRAIN), test=(good, bad))
    assert "good.csv" not in str(caught.value)


def test_enough_validation_texts_are_parted_and_few_are_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [(f"other {i // 2}", "ab"[i // 2 % 2]) for i in range(24)]
    files = {"train": write(tmp_path / "train.csv", TRAIN), "validation": write(tmp_path / "validation.csv", rows)}
    whole = read(tmp_path, **files)
    assert whole.stopping is whole.calibration is whole.validation
    assert not whole.calibrates_apart

    monkeypatch.setattr(training.data.corpus, "ENOUGH_TO_HALVE", 24)
    halves = read(tmp_path, **files)
    stopping, calibration = halves.stopping, halves.calibration
    assert halves.calibrates_apart
    assert sorted(stopping.texts + calibration.texts) == sorted(whole.validation.texts)
    assert not set(stopping.texts) & set(calibration.texts)
    assert stopping.counts() == calibration.counts() == {"a": 6, "b": 6}
    assert halves.validation.texts == whole.validation.texts
    assert read(tmp_path, **files).calibration.texts == calibration.texts


def test_further_tests_have_names_of_their_own(tmp_path: Path) -> None:
    films = write(tmp_path / "films.csv", [("new", "a"), ("text number 1", "b")])
    config = DataConfig(train=write(tmp_path / "train.csv", TRAIN), tests={"films": films})
    corpus = read_corpus(config, seed=0, data_root=tmp_path)
    assert list(corpus.held_out) == ["validation", "films"]
    assert corpus.files["films"].file == "films.csv"
    warning = next(w for w in corpus.warnings if "films" in w and "only" not in w)
    assert warning.startswith("1 of 2 films texts are also in the training set")


def test_held_out_labels_are_read_as_those_of_the_training_file(tmp_path: Path) -> None:
    train = [(f"text {i}", "food|service" if i % 3 else "food") for i in range(30)]
    alone = [("x", "food"), ("y", "service"), ("z", "food")]
    corpus = read(tmp_path, train=write(tmp_path / "a.csv", train), test=write(tmp_path / "b.csv", alone))
    assert corpus.task == "multi_label"
    assert corpus.held_out["test"].labels == [("food",), ("service",), ("food",)]
    assert "20 of 30 labels hold '|' between several: multi-label" in corpus.warnings[0]
    pairs = [(text, "a;b" if label == "a" else "c") for text, label in TRAIN]
    joined = [("x", "a;b"), ("y", "a;b"), ("z", "c")]
    corpus = read(tmp_path, train=write(tmp_path / "c.csv", pairs), test=write(tmp_path / "d.csv", joined))
    assert (corpus.task, corpus.held_out["test"].labels[0]) == ("single_label", ("a;b",))


def test_choices_about_labels_hold_for_every_file(tmp_path: Path) -> None:
    train = [(text, {"a": "Good", "b": "-"}[label]) for text, label in TRAIN] + [
        ("more", "good"),
        ("and more", "good "),
    ]
    other = [("x", "GOOD"), ("y", "-")]
    files: dict[str, object] = {
        "train": write(tmp_path / "train.csv", train),
        "validation": write(tmp_path / "validation.csv", other),
        "keep_labels": ("-",),
        "merge_labels": True,
    }
    corpus = read_corpus(DataConfig.model_validate(files), seed=0, data_root=tmp_path)
    assert corpus.labels == ("-", "Good")
    assert corpus.validation.labels == [("Good",), ("-",)]
    files["label_separator"] = "none"
    assert read_corpus(DataConfig.model_validate(files), seed=0, data_root=tmp_path).task == "single_label"


def test_what_is_wrong_with_a_held_out_file_is_said_with_its_role(tmp_path: Path) -> None:
    test = write(tmp_path / "test.csv", [("x", "a"), ("y", "null"), ("z", "b")])
    corpus = read(tmp_path, train=write(tmp_path / "train.csv", TRAIN), test=test)
    assert "test: 1 row without a label left out ('null' 1; row 2 (line 3))" in corpus.warnings


@pytest.mark.parametrize("num_labels", [1000, 1203])
def test_a_thousand_labels_with_one_held_out_text_each(tmp_path: Path, num_labels: int) -> None:
    rows = [(f"text {i} of {label}", f"label {label}") for label in range(num_labels) for i in range(3)]
    corpus = read(tmp_path, train=write(tmp_path / "train.csv", rows))
    assert len(corpus.labels) == len(corpus.validation) == num_labels
    assert abs(len(corpus.stopping) - len(corpus.calibration)) <= 1
    assert not set(corpus.stopping.texts) & set(corpus.calibration.texts)


def test_a_thousand_equal_texts_are_not_parted(tmp_path: Path) -> None:
    files = {
        "train": write(tmp_path / "train.csv", TRAIN),
        "validation": write(tmp_path / "validation.csv", [("one", "a")] * 1000),
    }
    corpus = read(tmp_path, **files)
    assert corpus.stopping is corpus.calibration is corpus.validation


def test_with_folds_every_text_is_trained_on_and_validated_on(tmp_path: Path) -> None:
    rows = [*TRAIN, ("x@example.com " * 3, "a")]
    config = DataConfig(train=write(tmp_path / "train.csv", rows), folds=4, mask_personal=True)
    assert read_corpus(config, seed=0, data_root=tmp_path).fold_N is None, "only who handles folds gets them"
    corpus = read_corpus(config, seed=0, data_root=tmp_path, folds=4)
    assert corpus.fold_N is not None
    assert sorted(set(corpus.fold_N)) == [0, 1, 2, 3]
    assert len(corpus.train) == len(corpus.validation) == len(rows)
    assert corpus.stopping is corpus.calibration is corpus.validation
    assert corpus.files["train"] == corpus.files["validation"]
    assert "example.com" in corpus.validation.texts[-1]
    assert "example.com" not in corpus.train.texts[-1]
    assert not [warning for warning in corpus.warnings if "also in the training set" in warning]
    given = config.model_copy(update={"validation": write(tmp_path / "v.csv", [("x", "a"), ("y", "b")])})
    assert read_corpus(given, seed=0, data_root=tmp_path, folds=4).fold_N is None


def test_a_held_out_file_without_a_column_for_slices_is_refused(tmp_path: Path) -> None:
    lines = [f"text {i},{'ab'[i % 2]},{i % 3}" for i in range(40)]
    (tmp_path / "with.csv").write_text("\n".join(["text,label,shop", *lines]), encoding="utf-8")
    (tmp_path / "without.csv").write_text("\n".join(["text,label,colour", *lines]), encoding="utf-8")
    columns = {"train": str(tmp_path / "with.csv"), "slice_columns": ("shop",)}
    read_corpus(DataConfig.model_validate(columns), seed=0, data_root=tmp_path)
    columns |= {"test": str(tmp_path / "without.csv")}
    with pytest.raises(MissingColumnError, match=r"without\.csv: no column 'shop'"):
        read_corpus(DataConfig.model_validate(columns), seed=0, data_root=tmp_path)


def test_texts_of_weight_zero_are_left_out_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "train.csv"
    rows = [f"{text},{label},{int(place >= 10)}" for place, (text, label) in enumerate(TRAIN)]
    path.write_text("\n".join(["text,label,w", *rows]), encoding="utf-8")
    corpus = read(tmp_path, train=str(path), weight_column="w")
    assert len(corpus.train) + len(corpus.validation) == 30
    (said,) = (warning for warning in corpus.warnings if "weight 0" in warning)
    assert said.startswith("10 rows of weight 0 left out (row 1 (line 2), row 2 (line 3)")
    assert corpus.train.weightless.count == 10


def test_so_many_rare_labels_that_half_of_the_texts_are_held_out_are_told(tmp_path: Path) -> None:
    rows = [(f"text number {i}", f"label {i % 200}") for i in range(400)]
    corpus = read(tmp_path, train=write(tmp_path / "train.csv", rows))
    assert len(corpus.train) == len(corpus.validation) == 200
    (said,) = [warning for warning in corpus.warnings if "data.folds=5" in warning]
    assert said.startswith("200 of 400 texts are held out for validation, 50% and not 10%: each label has a text")
    by_folds = DataConfig(train=str(tmp_path / "train.csv"))
    assert said not in read_corpus(by_folds, seed=0, data_root=tmp_path, folds=2).warnings
    assert said not in read(tmp_path, train=str(tmp_path / "train.csv"), validation_fraction=0.3).warnings

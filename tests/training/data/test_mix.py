"""Mixing keeps each text once and keeps test texts out."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from training.__main__ import main
from training.data.mix import MixOptions, mix_files
from training.errors import UsageError


def _csv(path: Path, *rows: tuple[str, str]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("text,label\n" + "".join(f'"{text}",{label}\n' for text, label in rows))
    return path


def test_each_text_once_and_none_of_the_test(tmp_path: Path) -> None:
    first = _csv(tmp_path / "a" / "train.csv", ("Good!", "pos"), ("good", "pos"), ("Bad", "neg"), ("So so", "neg"))
    second = _csv(tmp_path / "b" / "train.csv", ("GOOD", "pos"), ("fine", "pos"), ("so, so", "pos"), ("seen", "neg"))
    test = _csv(tmp_path / "b" / "test.csv", ("Seen.", "neg"))
    reports = mix_files([first, second], tmp_path / "mix.parquet", without=[test], options=MixOptions())
    assert pq.read_table(tmp_path / "mix.parquet").to_pylist() == [
        {"text": "Good!", "label": "pos", "source": "a/train.csv"},
        {"text": "Bad", "label": "neg", "source": "a/train.csv"},
        {"text": "fine", "label": "pos", "source": "b/train.csv"},
    ]
    counts = [(r.kept, r.held_out, r.repeated, r.contradicted) for r in reports]
    assert counts == [(2, 0, 1, 1), (1, 1, 1, 1)]


def test_columns_are_found_in_each_file_and_written_as_text_and_label(tmp_path: Path) -> None:
    rows = [f"the parcel number {n} is late" for n in range(6)]
    first, second, test = tmp_path / "a.csv", tmp_path / "b.csv", tmp_path / "test.csv"
    first.write_text("id,message,category\n" + "".join(f"{n},{text},{'xy'[n % 2]}\n" for n, text in enumerate(rows)))
    second.write_text("review,stars\n" + "".join(f"{text} again,{n % 2}\n" for n, text in enumerate(rows)))
    test.write_text(f"body,id\n{rows[0]},7\n")
    output = tmp_path / "mix.parquet"
    reports = mix_files([first, second], output, without=[test], options=MixOptions())
    assert [(report.kept, report.held_out) for report in reports] == [(5, 1), (6, 0)]
    assert pq.read_table(output).column_names == ["text", "label", "source"]
    mix_files([first, test], output, without=[], options=MixOptions(unlabeled=True))
    assert pq.read_table(output).column_names == ["text", "source"]
    named = MixOptions(text_column="message", label_column="category")
    mix_files([first], output, without=[], options=named)
    assert pq.read_table(output).column_names == ["message", "category", "source"]


def test_sets_whose_files_and_folders_are_called_alike_stay_two(tmp_path: Path) -> None:
    files = [_csv(tmp_path / name / "data" / "train.csv", (f"text {name}", "pos")) for name in ("a", "b")]
    mix_files(files, tmp_path / "o.parquet", without=[], options=MixOptions())
    assert pq.read_table(tmp_path / "o.parquet")["source"].to_pylist() == ["a/data/train.csv", "b/data/train.csv"]


def test_lists_of_labels_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "many.jsonl"
    path.write_text('{"text": "a", "label": ["x", "y"]}\n')
    with pytest.raises(UsageError, match=r"many\.jsonl"):
        mix_files([path], tmp_path / "mix.parquet", without=[], options=MixOptions())


def test_labels_get_common_names_and_rows_without_one_are_left_out(tmp_path: Path) -> None:
    grades = _csv(tmp_path / "a" / "train.csv", ("awful", "very neg"), ("bad", "neg"), ("so so", "neutral"))
    moods = tmp_path / "moods.jsonl"
    moods.write_text(
        '{"text": "yes", "label": ["joy", "love"]}\n{"text": "hm", "label": ["joy", "anger"]}\n'
        '{"text": "oh", "label": ["surprise"]}\n{"text": "no", "label": ["anger"]}\n{"text": "-", "label": []}\n'
    )
    mapping = {"neg": ("very neg", "anger"), "pos": ("joy", "love"), "neutral": ("none",)}
    output = tmp_path / "mix.parquet"
    reports = mix_files([grades, moods], output, without=[], options=MixOptions(mapping=mapping))
    rows = [(row["text"], row["label"]) for row in pq.read_table(output).to_pylist()]
    assert rows == [("awful", "neg"), ("bad", "neg"), ("so so", "neutral"), ("yes", "pos"), ("no", "neg")]
    assert [report.unmapped for report in reports] == [0, 3]


def test_the_command_reports_each_file(tmp_path: Path) -> None:
    first = _csv(tmp_path / "a" / "train.csv", ("Good!", "pos"), ("Bad", "neg"))
    test = _csv(tmp_path / "a" / "test.csv", ("bad", "neg"))
    output = tmp_path / "out" / "mix.parquet"
    run = CliRunner().invoke(main, ["mix", str(first), "--without", str(test), "--output", str(output)])
    assert run.exit_code == 0, run.output
    assert "found in column" not in run.output, "nothing is said of columns that are called text and label"
    assert "kept 1, held out 1, repeated 0, contradicted 0" in run.output
    assert pq.read_table(output).num_rows == 1
    missing = CliRunner().invoke(main, ["mix", str(tmp_path / "none.csv"), "--output", str(output)])
    assert missing.exit_code == 2
    assert "none.csv" in missing.output


def test_the_command_knows_the_sentiment_of_emotions(tmp_path: Path) -> None:
    moods = _csv(tmp_path / "a" / "train.csv", ("yes", "joy"), ("oh", "surprise"), ("no", "disgust"), ("it is", "none"))
    output = tmp_path / "mix.parquet"
    arguments = ["mix", str(moods), "--sentiment-labels", "--output", str(output)]
    run = CliRunner().invoke(main, arguments)
    assert run.exit_code == 0, run.output
    rows = [(row["text"], row["label"]) for row in pq.read_table(output).to_pylist()]
    assert rows == [("yes", "positive"), ("no", "negative"), ("it is", "neutral")]
    both = CliRunner().invoke(main, [*arguments, "--label-map", "positive=joy"])
    assert both.exit_code == 2
    assert "give one of them" in both.output


def test_sources_of_an_earlier_mix_stay_and_each_gives_as_many_texts_as_the_limit(tmp_path: Path) -> None:
    many = _csv(tmp_path / "a" / "train.csv", *((f"text {n}", "pos") for n in range(20)))
    few = _csv(tmp_path / "b" / "train.csv", ("one", "neg"), ("two", "neg"))
    once, output = tmp_path / "once.parquet", tmp_path / "c" / "twice.parquet"
    mix_files([many, few], once, without=[], options=MixOptions())
    options = MixOptions(source_column="source", limit=5, seed=3)
    (mixed, plain) = mix_files(
        [once, _csv(tmp_path / "d" / "x.csv", ("three", "neg"))], output, without=[], options=options
    )
    assert (mixed.kept, mixed.beyond_limit, plain.kept, plain.beyond_limit) == (7, 15, 1, 0)
    rows = pq.read_table(output).to_pylist()
    assert [row["source"] for row in rows] == ["a/train.csv"] * 5 + ["b/train.csv"] * 2 + ["d/x.csv"]
    drawn = [row["text"] for row in rows[:5]]
    assert drawn == sorted(drawn, key=lambda text: int(text.split()[1])) != [f"text {n}" for n in range(5)]
    mix_files([once], tmp_path / "again.parquet", without=[], options=options)
    assert pq.read_table(tmp_path / "again.parquet").to_pylist() == rows[:7]


def test_the_command_mixes_texts_without_labels_and_takes_emoticons_out(tmp_path: Path) -> None:
    posts = _csv(tmp_path / "a" / "train.csv", ("又下雨了[泪]", "x"), ("好[泪]", "y"), ("又下雨了[嘻嘻]", "z"))
    output = tmp_path / "mix.parquet"
    arguments = ["mix", str(posts), "--unlabeled", "--output", str(output)]
    run = CliRunner().invoke(main, [*arguments, "--drop-emoticons", "--limit", "9"])
    assert run.exit_code == 0, run.output
    assert "kept 1, held out 0, repeated 1, contradicted 0, unmapped 1, beyond the limit 0" in run.output
    assert pq.read_table(output).to_pylist() == [{"text": "又下雨了", "source": "a/train.csv"}]
    wrong = CliRunner().invoke(main, [*arguments, "--sentiment-labels"])
    assert wrong.exit_code == 2
    assert "--unlabeled reads texts only" in wrong.output


def test_texts_that_differ_in_their_emoji_are_two(tmp_path: Path) -> None:
    rows = [("Our train.", "neutral"), ("our train 😡", "negative"), ("OUR TRAIN 😡!", "negative"), ("Yes", "neutral")]
    file = _csv(tmp_path / "a.csv", *rows)
    (report,) = mix_files([file], tmp_path / "mixed.parquet", without=[], options=MixOptions())
    assert (report.kept, report.repeated, report.contradicted) == (3, 1, 0)


def test_the_command_writes_the_weights_of_data_sets(tmp_path: Path) -> None:
    few, many = _csv(tmp_path / "a" / "train.csv", ("one", "x")), _csv(tmp_path / "b" / "train.csv", ("two", "y"))
    output = tmp_path / "mix.parquet"
    arguments = ["mix", str(few), str(many), "--output", str(output), "--weight"]
    assert CliRunner().invoke(main, [*arguments, "a/train.csv=2.5"]).exit_code == 0
    assert [row["weight"] for row in pq.read_table(output).to_pylist()] == [2.5, 1.0]
    for wrong, said in (
        ("a/train.csv=much", "write SET=NUMBER"),
        ("a/train.csv=-1", "0 or more"),
        ("a=2", "--weight a: no text is of this data set; there are a/train.csv, b/train.csv"),
    ):
        refused = CliRunner().invoke(main, [*arguments, wrong])
        assert refused.exit_code == 2
        assert said in refused.output


def test_weights_of_texts_are_kept_where_their_column_is_named(tmp_path: Path) -> None:
    own, plain = tmp_path / "own.csv", _csv(tmp_path / "b" / "train.csv", ("three", "x"))
    own.write_text("text,label,w\nnone,x,0\none,x,0.5\ntwo,y,2\n")
    output = tmp_path / "mix.parquet"
    arguments = ["mix", str(own), str(plain), "--output", str(output), "--weight", "b/train.csv=3", "--weight-column"]
    run = CliRunner().invoke(main, [*arguments, "W"])
    assert run.exit_code == 0, run.output
    assert "own.csv: 1 row of weight 0 left out (row 1 (line 2))" in run.output
    rows = [(row["text"], row["weight"]) for row in pq.read_table(output).to_pylist()]
    assert rows == [("one", 0.5), ("two", 2.0), ("three", 3.0)]
    refused = CliRunner().invoke(main, [*arguments, "wait"])
    assert refused.exit_code == 2
    assert "--weight-column wait: no file has this column" in refused.output


def test_weights_and_probabilities_that_are_not_kept_are_told(tmp_path: Path) -> None:
    weighted, soft = tmp_path / "weighted.csv", tmp_path / "soft.csv"
    weighted.write_text("text,label,Weight\none film,neg,0\ntwo films,pos,2\n")
    soft.write_text("text,neg,pos\nthree films,0.2,0.8\nfour films,0.7,0.3\n")
    arguments = ["mix", str(weighted), str(soft), "--output", str(tmp_path / "mix.parquet")]
    run = CliRunner().invoke(main, arguments)
    assert run.exit_code == 0, run.output
    assert "weighted.csv: the column 'Weight' is not kept; if it has weights, --weight-column 'Weight'" in run.output
    assert "soft.csv: probabilities are not kept, but the most probable labels alone" in run.output
    kept = CliRunner().invoke(main, [*arguments, "--weight-column", "weight"])
    assert "is not kept" not in kept.output


def test_labels_are_read_as_the_options_say_and_merged_over_all_files(tmp_path: Path) -> None:
    first, second = _csv(tmp_path / "a.csv", ("one", "good"), ("two", "bad")), tmp_path / "b.csv"
    second.write_text("text,label\nthree,Good\nfour,BAD\n")
    output = tmp_path / "mix.parquet"
    arguments = ["mix", str(first), str(second), "--output", str(output)]
    run = CliRunner().invoke(main, [*arguments, "--merge-labels"])
    assert run.exit_code == 0, run.output
    assert [row["label"] for row in pq.read_table(output).to_pylist()] == ["good", "bad", "good", "bad"]
    many = tmp_path / "many.csv"
    many.write_text('text,label\none,"a,b"\ntwo,"b,a"\nthree,"a,c"\n')
    arguments = ["mix", str(many), "--output", str(output)]
    assert "--label-separator none reads each as one label" in CliRunner().invoke(main, arguments).output
    run = CliRunner().invoke(main, [*arguments, "--label-separator", "none"])
    assert run.exit_code == 0, run.output
    assert [row["label"] for row in pq.read_table(output).to_pylist()] == ["a,b", "b,a", "a,c"]

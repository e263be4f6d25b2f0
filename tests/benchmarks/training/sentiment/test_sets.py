"""The sets are mapped by one file, and a training file says of which of them a checkpoint has learned."""

from pathlib import Path

from benchmarks.training.sentiment.sets import THREE_LABELS, TWEETS, TWO_LABELS, ece_bar, read_set, sets_taught
from tables.parquet import write_parquet
from training.data.sentiment_sets import SENTIMENT


def test_each_set_is_known() -> None:
    assert {*TWO_LABELS, *THREE_LABELS, *TWEETS} <= set(SENTIMENT.sets)


def test_labels_are_mapped_and_others_left_out(data: Path) -> None:
    dataset = read_set(data, "sst5", "validation")
    assert dataset.counts() == {"negative": 15, "neutral": 15, "positive": 15}


def test_names_and_training_files_say_what_was_learned(tmp_path: Path) -> None:
    file = tmp_path / "mixed.parquet"
    sources = ["sst2/train.parquet", "cr/train.parquet", "cr/train.parquet"]
    write_parquet(file, {"text": ["a", "b", "c"], "source": sources})
    assert sets_taught((str(file), "imdb")) == {"sst2", "sst5", "cr", "imdb"}


def test_few_texts_have_a_wider_bar() -> None:
    assert (ece_bar(1999), ece_bar(2000)) == (0.025, 0.015)

"""Public sets that a sentiment checkpoint is judged on, and the bars that it should clear.

A bar is an accuracy, 0 to 1, or an ECE; see docs/results.md.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from tables.reader import read_columns
from training.data.dataset import Dataset, read_dataset
from training.data.mix import map_labels
from training.data.sentiment_sets import SENTIMENT

TWO_LABELS: Mapping[str, float | None] = {
    "sst2": 0.90,
    "imdb": 0.91,
    "fdu_mtl_reviews": 0.91,
    "elec_subset": 0.915,
    "cr": 0.90,
    "cad_imdb": None,
    "chnsenticorp": 0.915,
    "online_shopping_10_cats": 0.94,
    "douban_book_review": 0.86,
    "chnsenticorp_htl_all": 0.92,
    "nlpcc14_sc": 0.82,
}
"""Sets of positive and negative texts, with the bar of their accuracy."""

SENTENCES = ("sst2", "cr")
"""Those of `TWO_LABELS` whose texts are single sentences."""

THREE_LABELS = (
    *("xed_en", "twitter_financial", "newsmtsc", "smp2020_ewect_usual", "weibo_emotion8", "sst5", "go_emotions"),
)
"""Sets with neutral texts; the bar is a linear model's macro-F1."""

TWEETS = ("tweeteval_emotion", "emotion", "twitter_airline", "twitter_financial")
"""Sets of English tweets, judged in two labels."""

TWEETS_BAR = 0.82
FACTS_BAR = 0.90
NEGATION_BAR = 0.08
CAPABILITY_BAR = 0.15

FEW_ROWS = 2000


def ece_bar(rows: int) -> float:
    """The highest ECE allowed on a set of so many texts."""
    return 0.025 if rows < FEW_ROWS else 0.015


def read_set(data: Path, name: str, split: str) -> Dataset:
    """The texts of a split of a set that are negative, neutral or positive.

    Raises:
        TableError: the file cannot be read.
    """
    dataset = read_dataset(data / name / f"{split}.parquet", text_column="text", label_column="label")
    return map_labels(dataset, SENTIMENT.labels)


ONE_TREEBANK = {"sst2", "sst5"}


def sets_taught(names_or_files: Sequence[str]) -> frozenset[str]:
    """Names of the sets that a checkpoint has learned from.

    SST-2 and SST-5 are one treebank: `mix` keeps each text once, under one of both names.

    Args:
        names_or_files: names of sets, and files with a column `source`, which `mix` writes as FOLDER/FILE.

    Raises:
        TableError: there is a file of this name that cannot be read.
    """
    names = set()
    for given in names_or_files:
        if (path := Path(given)).is_file():
            (column,) = read_columns(path, ["source"])
            names |= {str(source).partition("/")[0] for source in column.values}
        else:
            names.add(given)
    return frozenset(names | ONE_TREEBANK if names & ONE_TREEBANK else names)

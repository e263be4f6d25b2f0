"""Labels the texts of a DataFrame, in one line.

`python -m examples.dataframe reviews.csv` prints the first rows; the file needs a column `text`.
"""

import sys

import numpy as np
import pandas as pd

from model.classifier import Classifier


def label(frame: pd.DataFrame, classifier: Classifier) -> pd.DataFrame:
    """Adds the most probable label of each text; a text that is missing counts as an empty one."""
    names = np.array(classifier.labels)
    return frame.assign(label=names[classifier.predict(frame["text"].fillna("").tolist()).argmax(axis=1)])


if __name__ == "__main__":
    print(label(pd.read_csv(sys.argv[1]), Classifier.load("checkpoints/sentiment", dtype="auto")).head())

"""Labels the texts of a DataFrame, in one line.

`python -m examples.dataframe reviews.csv` prints the first rows; the file needs a column `text`.
"""

import click
import numpy as np
import pandas as pd

from model.classifier import Classifier


def label(frame: pd.DataFrame, classifier: Classifier) -> pd.DataFrame:
    """Adds the most probable label of each text; a text that is missing counts as an empty one."""
    names = np.array(classifier.labels)
    return frame.assign(label=names[classifier.predict(frame["text"].fillna("").tolist()).argmax(axis=1)])


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False))
def main(file: str) -> None:
    """Labels the texts of FILE, a CSV with a column `text`, and prints the first rows."""
    frame = pd.read_csv(file)
    if "text" not in frame:
        raise click.BadParameter(f"{file} has no column `text`; it has {', '.join(map(str, frame))}.")
    print(label(frame, Classifier.load("checkpoints/sentiment", dtype="auto")).head())


if __name__ == "__main__":
    main()

"""Makes a checkpoint a function in SQL: `sentiment(text)` in DuckDB, over Arrow and without a copy of the table.

`python -m examples.duckdb_function reviews.parquet` counts the labels of a file with a column `text`.
"""

import click
import duckdb
import pyarrow as pa
from duckdb.func import PythonUDFType

from app.bulk.scoring import Columns, Scorer
from model.classifier import Classifier


def add_function(connection: duckdb.DuckDBPyConnection, classifier: Classifier, name: str = "sentiment") -> None:
    """Adds a scalar function from a text to its label and score. NULL stays NULL; DuckDB calls it with 2,048 rows."""
    scorer = Scorer(classifier, Columns(texts=()))

    def labelled(texts: pa.ChunkedArray) -> pa.Array:
        columns, _ = scorer.answers(texts.to_pylist())
        return pa.StructArray.from_arrays(list(columns.values()), names=list(columns))

    kind = connection.struct_type({"label": "VARCHAR", "score": "FLOAT"})
    connection.create_function(name, labelled, ["VARCHAR"], kind, type=PythonUDFType.ARROW)


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False))
def main(file: str) -> None:
    """Counts the labels of the texts of FILE, a Parquet file with a column `text`."""
    database = duckdb.connect()
    add_function(database, Classifier.load("checkpoints/sentiment", dtype="auto"))
    query = (
        "SELECT s.label, count(*), avg(s.score) FROM (SELECT sentiment(text) AS s FROM read_parquet(?)) GROUP BY ALL"
    )
    try:
        rows = database.execute(query, [file]).fetchall()
    except duckdb.Error as error:
        raise click.BadParameter(f"{file} cannot be read: {error}") from None
    for row in rows:
        print(*row)


if __name__ == "__main__":
    main()

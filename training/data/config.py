"""Configuration of the data of a run: files, columns, source and licence."""

from typing import Annotated

from pydantic import Field

from model.config import Frozen


class DataConfig(Frozen):
    """The data files of a run, their columns, and where they come from.

    Attributes:
        train, validation, test: paths; a relative one in a recipe is looked for under the data root.
        tests: further test files by name, each scored by itself, for example the parts of a mixture.
        text_column, label_column: names of columns.
        validation_fraction: share of the training texts that are validated on where no validation file is given.
        source: where to get the files; shown when one is missing and in the model card.
        licence: the one that the source states; shown in the model card.
    """

    train: str | None = None
    validation: str | None = None
    test: str | None = None
    tests: dict[str, str] | None = None
    text_column: str = "text"
    label_column: str = "label"
    validation_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.1
    source: str = ""
    licence: str = ""

"""Configuration of the data of a run: files, columns, source and licence."""

from typing import Annotated

from pydantic import Field

from model.config import Frozen


class DataConfig(Frozen):
    """Which files, which columns, and what to say about them.

    Attributes:
        train, validation, test: files; a relative one in a recipe is looked for under the data root.
        tests: further test files by name, each scored by itself: the parts of a mixture, say.
        text_column, label_column: names of columns.
        validation_fraction: share of the training texts put aside where no validation file is given.
        source: where anyone can get the files; shown when one is missing and in the model card.
        licence: what the source says of it; shown in the model card.
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

"""Configuration of the data of a run: files, columns, source and licence."""

from typing import Annotated

from pydantic import Field

from model.config import Frozen
from tables.labels import LabelRules


class DataConfig(Frozen):
    """The data files of a run, their columns, and where they come from.

    Attributes:
        train, validation, test: paths; a relative one in a recipe is looked for under the data root.
        tests: further test files by name, each scored by itself, for example the parts of a mixture.
        text_column, label_column: names of columns.
        keep_labels: names that are labels although they are spelled like a missing value (nan, NA, null, -).
        label_separator: between several labels in one value; None finds it, `none` is that there is none.
        merge_labels: reads labels that differ in spelling only as one, by the commonest spelling.
        source_column: names the set that a text of a mixture comes from, as `mix` writes it: each text is then judged
            among the labels of its set, in training and in every score; a file without the column is one set.
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
    keep_labels: tuple[str, ...] = ()
    label_separator: str | None = None
    merge_labels: bool = False
    source_column: str | None = None
    validation_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.1
    source: str = ""
    licence: str = ""

    @property
    def label_rules(self) -> LabelRules:
        """The choices about labels."""
        separator = "" if self.label_separator == "none" else self.label_separator
        return LabelRules(frozenset(self.keep_labels), separator, self.merge_labels)

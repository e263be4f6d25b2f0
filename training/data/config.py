"""Configuration of the data of a run: files, columns, source and licence."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from model.config import Frozen
from tables.labels import LabelRules

Files = str | tuple[str, ...]
"""One or several names of files, patterns or folders, which together are one table."""


class DataConfig(Frozen):
    """The data files of a run, their columns, and where they come from.

    Attributes:
        train, validation, test: a file, a pattern such as `part-*.csv`, a folder of tables, or with one of texts for
            each label, `-` for standard input; or several of these. Relative ones in a recipe are below the data root.
        tests: further test files by name, each scored by itself, for example the parts of a mixture.
        text_column: of the texts, several with commas between them, which are joined by a line break; None finds it.
        label_column: of the labels, or several with commas between them, one for each label; None finds it.
        weight_column: of a weight for each training text, in the loss of all that learns; one of weight 0 is left out.
        sheet: of a spreadsheet; None is the first that has the columns.
        keep_labels: names that are labels although they are spelled like a missing value (nan, NA, null, -).
        label_separator: between several labels in one value; None finds it, `none` is that there is none.
        mask_personal: puts fixed words in place of e-mail addresses and telephone numbers in all texts that are trained
            on, before a tokenizer or anything else learns from them. Held-out texts stay as they are, because requests
            will not be masked either.
        merge_labels: reads labels that differ in spelling only as one, by the commonest spelling.
        source_column: names the set that a text of a mixture comes from, as `mix` writes it: each text is then judged
            among the labels of its set, in training and in every score; a file without the column is one set.
        source_power: a set of n training texts counts as n to this power of them in the loss: at 1 each text counts
            alike, at 0 each set. Needs `source_column`.
            Source: Devlin et al. 2018, the multilingual model (0.7, of languages, by sampling); here by weights.
        validation_fraction: share of the training texts that are validated on where no validation file is given.
        folds: parts of the training texts, each held out from one of as many networks in turn, whose weights are then
            averaged: every text is trained on and validated on. Needs pre-trained layers (`start`) and no validation
            file. 0 holds a share out instead; None is `training.runs.plan`'s to say. Only `train` has folds.
        slice_columns: of the held-out files, whose values are kinds of texts that the report tells apart.
        source: where to get the files; shown when one is missing and in the model card.
        licence: the one that the source states; shown in the model card.
    """

    train: Files | None = None
    validation: Files | None = None
    test: Files | None = None
    tests: dict[str, str] | None = None
    text_column: str | None = None
    label_column: str | None = None
    weight_column: str | None = None
    sheet: str | None = None
    keep_labels: tuple[str, ...] = ()
    label_separator: str | None = None
    merge_labels: bool = False
    mask_personal: bool = False
    source_column: str | None = None
    source_power: Annotated[float, Field(ge=0, le=1)] = 1.0
    validation_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.1
    folds: Annotated[int, Field(ge=0, le=20)] | None = None
    slice_columns: tuple[str, ...] = ()
    source: str = ""
    licence: str = ""

    @model_validator(mode="after")
    def _parts_in_two_at_least(self) -> Self:
        if self.folds == 1:
            raise ValueError("folds is 0 for none, or at least 2: with 1 there is nothing to train on")
        return self

    @model_validator(mode="after")
    def _weighs_named_sets(self) -> Self:
        if self.source_power != 1 and self.source_column is None:
            raise ValueError("source_power weighs the sets that data.source_column names; set that too")
        return self

    @property
    def label_rules(self) -> LabelRules:
        """The choices about labels."""
        return LabelRules.named(self.keep_labels, self.label_separator, self.merge_labels)

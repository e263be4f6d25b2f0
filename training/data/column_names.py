"""Names of the columns that commands write, where those that they read may be called anything."""

TEXT = "text"
LABEL = "label"


def written(asked: str | None, default: str) -> str:
    """The name of a column that is written: what a person called the one that is read, else the default.

    Files may each call it otherwise where it is found, and several columns become one: both have the default.

    >>> written("review", TEXT), written(None, TEXT), written("title,body", TEXT)
    ('review', 'text', 'text')
    """
    return default if asked is None or "," in asked else asked

"""Markdown files from Jinja templates, each of which stands beside the code that fills it."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from training.fit.progress import format_duration


def render(template: Path, **values: object) -> str:
    """Fills a template with `values`.

    Filters: `cell`, `figure` (four decimals), `count` (commas between thousands), `duration` (of seconds).

    Raises:
        jinja2.UndefinedError: the template names what is not among the values.
    """
    environment = Environment(
        loader=FileSystemLoader(template.parent),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - the result is Markdown, not HTML
    )
    environment.filters |= {
        "cell": escape_cell,
        "figure": "{:.4f}".format,
        "count": "{:,}".format,
        "duration": format_duration,
    }
    return environment.get_template(template.name).render(values)


def escape_cell(text: str) -> str:
    r"""Text that cannot break a Markdown table.

    >>> print(escape_cell("a|b"))
    a\|b
    """
    return " ".join(text.split()).replace("|", "\\|")

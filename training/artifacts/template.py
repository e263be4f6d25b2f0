"""Files from Jinja templates, each of which stands beside the code that fills it: Markdown, and HTML pages."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from training.fit.progress import format_duration


def render(template: Path, **values: object) -> str:
    """Fills a template with `values`; one of HTML (`.html.jinja`) escapes them.

    Filters: `cell`, `figure` (four decimals), `percent` (one decimal), `count` (commas between thousands), `duration`
    (of seconds), `place` (on a scale).

    Raises:
        jinja2.UndefinedError: the template names what is not among the values.
    """
    environment = Environment(
        loader=FileSystemLoader(template.parent),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=template.name.endswith(".html.jinja"),
    )
    environment.filters |= {
        "cell": escape_cell,
        "figure": "{:.4f}".format,
        "percent": "{:.1%}".format,
        "count": "{:,}".format,
        "duration": format_duration,
        "place": place,
    }
    return environment.get_template(template.name).render(values)


def escape_cell(text: str) -> str:
    r"""Text that cannot break a Markdown table.

    >>> print(escape_cell("a|b"))
    a\|b
    """
    return " ".join(text.split()).replace("|", "\\|")


def place(value: float, start: float) -> str:
    """The place of a share on a scale from `start` to 1, as a number from 0 to 1; below the scale it is 0.

    >>> place(0.9, 0.8)
    '0.5000'
    """
    return f"{max(0.0, (value - start) / (1 - start)):.4f}"

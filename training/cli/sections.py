"""Commands whose help lists their options in sections."""

from collections.abc import Mapping, Sequence
from typing import Any

import click


class SectionedCommand(click.Command):
    """A command with several groups of options.

    Args:
        sections: heading of each group, and the names of its options; the others come first, under `Options`.
    """

    def __init__(self, *args: Any, sections: Mapping[str, Sequence[str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.sections = sections

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the options, section by section."""
        section_of = {name: heading for heading, names in self.sections.items() for name in names}
        for heading in ("Options", *self.sections):
            options = [param for param in self.get_params(ctx) if isinstance(param, click.Option)]
            listed = [option for option in options if section_of.get(option.name or "", "Options") == heading]
            rows = [row for option in listed if (row := option.get_help_record(ctx)) is not None]
            with formatter.section(heading):
                formatter.write_dl(rows)

    def given(self, ctx: click.Context, heading: str) -> list[str]:
        """The options of a section that the call has, as they are written."""
        names = [name for name in self.sections[heading] if ctx.get_parameter_source(name) == COMMAND_LINE]
        return [param.opts[0] for param in self.get_params(ctx) if param.name in names]


COMMAND_LINE = click.core.ParameterSource.COMMANDLINE

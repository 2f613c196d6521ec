"""Templates of pages, and the parts that go into them: style, script, macros."""

from __future__ import annotations

from functools import cache
from importlib import resources

from jinja2 import Environment, StrictUndefined, Template

from cellpipe.report.wording import number, percent, plural, spoken


@cache
def template(name: str) -> Template:
    """The template of a page, with the macros."""
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters.update(number=number, percent=percent, spoken=spoken)
    environment.globals["plural"] = plural
    return environment.from_string(part("macros.html") + part(name))


def part(name: str) -> str:
    """The text of a file beside this one."""
    return resources.files("cellpipe.report").joinpath(name).read_text(encoding="utf-8")

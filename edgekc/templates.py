"""The templates of codegen/, each parsed once, for the sources of a network and for the firmware around it."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from . import __version__
from .assets import CODEGEN

if TYPE_CHECKING:
    from jinja2 import Environment


@cache
def environment() -> Environment:
    """Of all templates; a name that a template is not given is an error."""
    import jinja2

    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(CODEGEN),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # they are C, and not HTML
    )
    made.globals["version"] = __version__
    return made

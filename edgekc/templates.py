"""The templates of codegen/, each parsed once: sources of a network, the firmware around it, and pages of reports."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from . import __version__
from .assets import CODEGEN

if TYPE_CHECKING:
    from jinja2 import Environment


@cache
def environment(*, html: bool = False) -> Environment:
    """Of all templates; a name that a template is not given is an error.

    Args:
        html: whether what a template is given is escaped for HTML, and not text of C.
    """
    import jinja2

    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(CODEGEN),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=html,
    )
    made.globals["version"] = __version__
    return made

"""A TOML file of a user's to a table, whatever is in the file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from ..errors import EdgekcError
from . import limits
from .bounded import read_file

if sys.version_info >= (3, 11):
    import tomllib
else:  # pragma: no cover
    import tomli as tomllib


def read_toml(path: Path, kind: type[EdgekcError]) -> dict[str, Any]:
    """The table in a file; errors are of `kind`."""
    where = str(path)
    data = read_file(path, limits.MAX_TEXT_BYTES, kind)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise kind("is not UTF-8 text", where=where) from error
    return parse_toml(text, where, kind)


def parse_toml(text: str, where: str, kind: type[EdgekcError]) -> dict[str, Any]:
    """The table of a text; errors are of `kind`."""
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise kind("is not valid TOML: nested too deeply", where=where) from None
    except ValueError as error:  # a TOMLDecodeError, or a number of thousands of digits
        raise kind(f"is not valid TOML: {error}", where=where) from error

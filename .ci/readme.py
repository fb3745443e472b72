"""Prints the command that README.md has under a marker, so that what CI runs is what README says."""

from __future__ import annotations

import re
import sys
from pathlib import Path

README = Path(__file__).resolve().parents[1] / "README.md"


def command(name: str) -> str:
    """The lines of the code block after `<!-- command: NAME -->`."""
    found = re.search(rf"<!-- command: {name} -->\n```\n(.*?)\n```\n<!-- end -->", README.read_text("utf-8"), re.DOTALL)
    if found is None:
        raise SystemExit(f"README.md has no <!-- command: {name} -->")
    return found[1]


if __name__ == "__main__":
    print(command(sys.argv[1]))

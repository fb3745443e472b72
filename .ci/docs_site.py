"""Links of the repository's Markdown to links of the site: mkdocs calls this before it reads a page.

README.md becomes the first page; CONTRIBUTING.md, SECURITY.md and CHANGELOG.md become pages too. A link to a file
that is no page goes to the repository. A link to a file that is not there stays, and `mkdocs build --strict` finds it.
commands.md is made of the commands themselves.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
COMMANDS = "commands.md"
REPOSITORY = "https://github.com/edgekc/edgekc/blob/main/"
# A file at the top of the repository to its page.
PAGES = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
    "CHANGELOG.md": "changelog.md",
}
# What stands between ]( and ), or behind [name]: at the start of a line; neither an address nor an anchor alone.
LINK = re.compile(r"(\]\(|^\[[^\]\n]+\]: )(?![a-z]+:|#)([^)\s#]+)", re.MULTILINE)


def relinked(text: str, folder: str) -> str:
    """Text of a file that lies in `folder` of the repository ("" for the top), with its links as the site has them."""

    def link(match: re.Match[str]) -> str:
        path = posixpath.normpath(posixpath.join(folder, match[2]))
        if path in PAGES:
            return match[1] + PAGES[path]
        if path.startswith("docs/"):
            return match[1] + path.removeprefix("docs/")
        return match[1] + (REPOSITORY + path if (ROOT / path).exists() else match[2])

    return LINK.sub(link, text)


def on_files(files: Any, config: Any) -> Any:
    """Adds the pages that are made of files at the top of the repository."""
    from mkdocs.structure.files import File

    for source, page in PAGES.items():
        text = relinked((ROOT / source).read_text(encoding="utf-8"), "")
        made = File.generated(config, page, content=text)
        made.edit_uri = f"../{source}"
        files.append(made)
    files.append(File.generated(config, COMMANDS, content=commands()))
    return files


def commands() -> str:
    """A page of all commands with their arguments and options, as `edgekc COMMAND --help` has them."""
    import typer
    from typer.cli import get_docs_for_click

    from edgekc.cli.main import app

    command = typer.main.get_command(app)
    return get_docs_for_click(obj=command, ctx=typer.Context(command), name="edgekc", title="Commands")


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Called for each page; those of `PAGES` have their links already."""
    return markdown if page.file.src_uri in (*PAGES.values(), COMMANDS) else relinked(markdown, "docs")

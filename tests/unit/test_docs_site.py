"""The documentation as a whole: every page is in the site's menu, links resolve, and what is named is there."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import edgekc

ROOT = Path(__file__).resolve().parents[2]
DOCS = sorted((ROOT / "docs").glob("*.md"))
TOP = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")]
PAGES = [*TOP, *DOCS, *sorted((ROOT / "examples").glob("*/README.md"))]
# Decisions and changes keep the names of their day.
OF_TODAY = [page for page in PAGES if page.name not in ("decisions.md", "CHANGELOG.md")]


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def site_hook() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_site", ROOT / ".ci" / "docs_site.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def prose(page: Path) -> str:
    """Text without blocks of code, in which [a](b) is no link."""
    return re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)


def anchors(page: Path) -> set[str]:
    """What a heading is called in a link: lower case, without punctuation, spaces as hyphens."""
    headings = re.findall(r"^#+ (.+)", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\s-]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_docs_menu_has_every_page_once() -> None:
    menu = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:")[2].partition("\ntheme:")[0]
    made = {*site_hook().PAGES.values(), site_hook().COMMANDS}
    assert sorted(re.findall(r": (\S+\.md)$", menu, re.MULTILINE)) == sorted({page.name for page in DOCS} | made)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_docs_links_resolve(page: Path) -> None:
    """Files that are there, and headings that are in them."""
    text = prose(page)
    targets = re.findall(r"\]\((?!https?:)([^)\s]+)\)", text)
    targets += re.findall(r"^\[[^\]]+\]: (?!https?:)(\S+)$", text, re.MULTILINE)
    wrong = []
    for target in targets:
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        if not file.exists() or (anchor and anchor not in anchors(file)):
            wrong.append(target)
    assert wrong == []
    defined = set(re.findall(r"^\[([\w-]+)\]: ", text, re.MULTILINE))
    assert set(re.findall(r"\]\[([\w-]+)\]", text)) == defined, "links and their definitions"


@pytest.mark.parametrize("page", OF_TODAY, ids=name_of)
def test_docs_named_files_exist(page: Path) -> None:
    """Paths in backquotes are of files that are there, or that the page's own blocks make."""
    tops = r"edgekc|codegen|runtime_c|boards|tests|docs|benchmarks|examples|\.ci"
    text = page.read_text(encoding="utf-8")
    named = {path for path in re.findall(rf"`((?:{tops})/[\w./-]+)`", text) if "foo" not in path and "NNN" not in path}
    named -= set(re.findall(r'title="([^"]+)"', text))
    assert sorted(path for path in named if not (ROOT / path).exists() and "fuzz_readers.json" not in path) == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_docs_named_commands_exist(page: Path) -> None:
    from typer.main import get_command

    from edgekc.cli.main import app

    known = set(get_command(app).commands)  # type: ignore[attr-defined]
    text = page.read_text(encoding="utf-8")
    code = "\n".join(re.findall(r"^```\n(.*?)^```", text, re.DOTALL | re.MULTILINE))
    used = {
        *re.findall(r"[`/]edgekc ([a-z][a-z-]*)", text),
        *re.findall(r"^(?: {4})?edgekc ([a-z][a-z-]*)", code, re.MULTILINE),
    }
    assert sorted(used - known) == []


def test_docs_links_of_the_site() -> None:
    """A page of the site, a file of the repository, one that is not there, and what is no link of ours."""
    relinked = site_hook().relinked
    assert relinked("[a](walk.md#x) [b](../SECURITY.md) [c](../LICENSE)", "docs") == (
        "[a](walk.md#x) [b](security.md) [c](https://github.com/edgekc/edgekc/blob/main/LICENSE)"
    )
    assert relinked("[a][walk] ![b][p]\n\n[walk]: docs/walk.md\n[p]: docs/p.svg\n", "") == (
        "[a][walk] ![b][p]\n\n[walk]: walk.md\n[p]: p.svg\n"
    )
    for kept in ("[a](../no/such.md)", "[a](https://example.org/docs/x.md)", "[a](#walk)", "array[0] (x)"):
        assert relinked(kept, "docs") == kept


def test_docs_build_as_a_site_with_every_public_name(tmp_path: Path) -> None:
    """`mkdocs build --strict`, and the page of the API has each name of `edgekc.__all__`."""
    for package in ("mkdocs", "material", "mkdocstrings_handlers.python"):
        try:
            missing = importlib.util.find_spec(package) is None
        except ModuleNotFoundError:
            missing = True
        if missing:
            pytest.skip(f"{package} is not installed: pip install 'edgekc[docs]'")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert re.findall(r"^WARNING", done.stderr, re.MULTILINE) == []
    api = (tmp_path / "site" / "api" / "index.html").read_text(encoding="utf-8")
    shown = set(re.findall(r'id="edgekc\.(\w+)"', api))
    # Each class of the module `errors` is a public name too.
    assert sorted(set(edgekc.__all__) - shown - {"__version__", "errors"}) == []
    from edgekc.cli.main import app

    commands = (tmp_path / "site" / "commands" / "index.html").read_text(encoding="utf-8")
    named = {command.name or "" for command in app.registered_commands}
    assert named <= set(re.findall(r'id="edgekc-([a-z-]+)"', commands))
    start = (tmp_path / "site" / "index.html").read_text(encoding="utf-8")
    assert 'src="peers.svg"' in start and "nothing has been flashed to real hardware" in start.lower()

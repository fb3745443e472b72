"""Every block of code of every document: it is run, or a table says why not; and what is run succeeds.

A page's blocks share a folder, in their order. Commands run in a shell, Python in a process of its own. C is compiled
against the headers that the commands before it generated. Recipes and board files are read, and steps of a workflow are
held against `action.yml`.
"""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import page_inputs as inputs
import pages
import pytest
import warm
from page_tables import COLD, GIVEN, INSTEAD, NEEDS, NOT_RUN, QUICK, WALKED

from edgekc import recipe
from edgekc.boards.board import load_board
from edgekc.errors import EdgekcError

_PROGRAM = re.compile(
    r"(?:[A-Z_]+=\S+ )?(?:edgekc|python3?|pip|pytest|make|cmake|mkdir|mkdocs|openocd|\S+-gcc|\.ci/run)(?: |$)"
)
_STRICT = "-std=c99 -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror -fsyntax-only".split()


def commands(text: str) -> list[str]:
    """The commands of a block, those that go on over several lines in one."""
    return [line for line in text.replace("\\\n", " ").splitlines() if line.strip()]


def left_out(page: str, start: str) -> tuple[str, str, str] | None:
    """The entry of the table that says why a block or a command is not run."""
    words = " ".join(start.split())
    return next((entry for entry in NOT_RUN if entry[0] == page and entry[1] and words.startswith(entry[1])), None)


def language(page: str, block: pages.Block) -> str:
    """How a block is run; "" where nothing says how."""
    if block.language:
        return block.language
    if all(_PROGRAM.match(line) for line in commands(block.text)):
        return "sh"
    return "text" if any(entry[:2] == (page, "") for entry in NOT_RUN) else ""


def to_run(page: str) -> Iterator[pages.Block]:
    """A page's blocks as they are run here: with a language, what the tables add, and without what they leave out."""
    for block in pages.blocks(pages.read(page)):
        how = language(page, block)
        if how == "text" or (page in WALKED and block.language) or (how != "sh" and left_out(page, block.text)):
            continue
        text = block.text
        if how == "sh":
            text = "".join(f"{line}\n" for line in commands(text) if not left_out(page, line))
        given = "".join(more for (of, start), more in GIVEN.items() if of == page and text.startswith(start))
        for words, other in INSTEAD.get(page, {}).items():
            text = text.replace(words, other)
        if text:
            yield replace(block, language=how, text=given + text)


RUN = {page: list(to_run(page)) for page in pages.pages()}


@pytest.mark.fast
def test_every_block_is_run_or_says_why_not() -> None:
    unknown = [f"{p}:{b.line}: {b.text[:60]!r}" for p, each in RUN.items() for b in each if b.language not in RUNNERS]
    assert unknown == [], "a fence names its language: sh, python, c, toml, yaml; text for what cannot be run"


@pytest.mark.fast
def test_every_entry_of_the_tables_is_of_a_block() -> None:
    for page, start, _ in NOT_RUN:
        found = [block for block in pages.blocks(pages.read(page)) if page not in WALKED or not block.language]
        starts = [" ".join(line.split()) for block in found for line in (*commands(block.text), block.text)]
        assert found and (not start or any(line.startswith(start) for line in starts)), (page, start)
    for (page, start), given in GIVEN.items():
        assert any(block.text.startswith(given + start) for block in RUN[page]), (page, start)
    for page, words in INSTEAD.items():
        assert all(word in pages.read(page) for word in words), page
    assert {page for page, each in RUN.items() if not each}.isdisjoint(NEEDS)
    assert all((pages.ROOT / test).is_file() for test in WALKED.values())
    named = re.findall(r"(?:tests|benchmarks)/[\w/]+\.py", " ".join(reason for _, _, reason in NOT_RUN))
    assert [path for path in named if not (pages.ROOT / path).is_file()] == []


@pytest.mark.fast
def test_what_cannot_be_run_is_no_command() -> None:
    """A fence of `text` hides nothing that could be run."""
    for page in set(RUN) - set(WALKED):
        for block in pages.blocks(pages.read(page)):
            assert block.language != "text" or not _PROGRAM.match(block.text), (page, block.line)


# ---- how a block is run ----


def run_commands(text: str, folder: Path) -> None:
    done = pages.shell(text, folder, folder.parent / "bin")
    assert done.returncode == 0, f"{text}\n{done.stdout[-2000:]}\n{done.stderr[-3000:]}"


def run_python(text: str, folder: Path) -> None:
    (folder.parent / "block.py").write_text(text, encoding="utf-8")
    run_commands(f"python {folder.parent / 'block.py'}", folder)


def compile_c(text: str, folder: Path) -> None:
    words = ["gcc", *_STRICT, f"-I{folder / 'out' / 'include'}", "-x", "c", "-"]
    done = subprocess.run(words, input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{text}\n{done.stderr}"


def read_toml(text: str, folder: Path) -> None:
    """A recipe, or else the file of a board."""
    if re.search(r"^\[\[?(?:quantize|compress)\]", text, re.MULTILINE):
        recipe.parse(text)
        return
    (folder / "board.toml").write_text(text, encoding="utf-8")
    load_board(folder / "board.toml")


def read_workflow(text: str, _: Path) -> None:
    """Steps of a job: those that use this project give inputs that it has, and all that it needs."""
    yaml = importlib.import_module("yaml")  # which has no types
    inputs = yaml.safe_load((pages.ROOT / "action.yml").read_text(encoding="utf-8"))["inputs"]
    used = [step for step in yaml.safe_load(text) if "/edgekc@" in step["uses"]]
    assert used, "no step uses this project"
    for step in used:
        assert set(step["with"]) <= set(inputs), step
        assert {name for name, each in inputs.items() if each.get("required")} <= set(step["with"]), step


RUNNERS: dict[str, Callable[[str, Path], None]] = {
    "sh": run_commands,
    "python": run_python,
    "c": compile_c,
    "toml": read_toml,
    "yaml": read_workflow,
}


def need(page: str) -> None:
    """Skips where a program or a module that the page takes is missing."""
    for name in NEEDS.get(page, ()):
        module = name.removeprefix("module ")
        there = importlib.util.find_spec(module) if name != module else shutil.which(name)
        if there is None:
            pytest.skip(f"{module} is not installed")


def prepared(page: str, folder: Path) -> Path:
    """An empty folder but for what the page's blocks name: files by `inputs`, and folders of the project."""
    folder.mkdir()
    (pages.commands if page in COLD else warm.programs)(folder.parent / "bin")
    for name in ("edgekc", "examples"):
        (folder / name).symlink_to(pages.ROOT / name)
    words = {word for block in RUN[page] for word in re.findall(r"[\w.-]*\w", block.text)}
    for name in sorted(words & set(inputs.MAKERS)):
        path = folder / inputs.PLACES.get(name, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        inputs.MAKERS[name](path)
    return folder


@pytest.mark.parametrize(
    "page",
    [pytest.param(page, marks=() if page in QUICK else pytest.mark.slow) for page, each in RUN.items() if each],
)
def test_the_blocks_of(page: str, tmp_path: Path) -> None:
    need(page)
    folder = prepared(page, tmp_path / "work")
    for block in RUN[page]:
        try:
            RUNNERS[block.language](block.text, folder)
        except Exception as error:
            raise AssertionError(f"{page}:{block.line}: {error}") from error


# ---- that it notices ----


@pytest.mark.parametrize(
    ("how", "right", "wrong"),
    [
        ("sh", "true\n", "false\ntrue\n"),
        ("python", "import edgekc\n", "import edgekc.no_such\n"),
        ("c", "int f(int x);\n", "int f(int x) { int y; return x; }\n"),
        ("toml", "[quantize]\nsamples = 1\n", "[quantize]\nsample = 1\n"),
        ("toml", (pages.ROOT / "boards" / "microbit" / "board.toml").read_text(encoding="utf-8"), "name = 'x'\n"),
        ("yaml", "- uses: O/edgekc@v1\n  with: {models: a, boards: b}\n", "- uses: O/edgekc@v1\n  with: {board: b}\n"),
    ],
)
def test_a_wrong_block_is_noticed(how: str, right: str, wrong: str, tmp_path: Path) -> None:
    need("docs/measuring.md" if how == "yaml" else "docs/ram.md" if how == "c" else "")
    pages.commands(tmp_path / "bin")
    folder = tmp_path / "work"
    folder.mkdir()
    RUNNERS[how](right, folder)
    with pytest.raises((AssertionError, EdgekcError)):
        RUNNERS[how](wrong, folder)


@pytest.mark.slow
def test_commands_of_a_loaded_process_are_those_of_their_own(tmp_path: Path) -> None:
    """What they print and how they end, their arguments, folder and environment, and what runs at their end."""
    (tmp_path / "told.py").write_text(
        "import atexit, os, sys\natexit.register(print, 'end')\n"
        "print(__name__, sys.argv, os.getcwd(), os.environ.get('A'), sys.path[0])\n"
        "print('read', sys.stdin.read(), file=sys.stderr)\nsys.exit(int(sys.argv[1]))\n"
    )
    (tmp_path / "killed.py").write_text("import os\nos.kill(os.getpid(), 9)\n")
    (tmp_path / "wrong.py").write_text("raise ValueError(1)\n")
    commands = (
        "edgekc --version", "edgekc inspect lost.ekc", "edgekc", "A=1 python told.py 3 'a b'",
        "echo x | python told.py 0", "python killed.py", "python -c 'print(1)'", "python wrong.py 2>&1 | tail -n 1",
    )  # fmt: skip
    ran = []
    for name, write in (("cold", pages.commands), ("warm", warm.programs)):
        write(tmp_path / name)
        done = [pages.shell(command, tmp_path, tmp_path / name) for command in commands]
        ran.append([(each.returncode, each.stdout, each.stderr) for each in done])
    assert ran[0] == ran[1]
    assert [code for code, _, _ in ran[0]] == [0, 2, 2, 3, 0, -9, 0, 0]


@pytest.mark.fast
def test_blocks_are_found_where_they_are() -> None:
    text = "a\n\n    b\n\n    c\n\nd\n    no block\n\n- e\n\n    of the list\n\n"
    text += '  ```sh title="t"\n  f\n  ```\n\ng\n\n```\nh\n```\n'
    found = [(block.language, block.title, block.text, block.line) for block in pages.blocks(text)]
    assert found == [("", "", "b\n\nc\n", 3), ("sh", "t", "f\n", 15), ("", "", "h\n", 21)]
    for wrong in ("```sh\na\n", "```a b\n```\n"):
        with pytest.raises(AssertionError):
            list(pages.blocks(wrong))

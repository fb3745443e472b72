"""docs/adding.md, walked: its blocks are applied to a copy of the tree, where the commands below them must succeed."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from pages import ROOT, Block, blocks, read

TREE = ("benchmarks", "boards", "codegen", "docs", "edgekc", "examples", "runtime_c", "tests")


def sections() -> dict[str, list[Block]]:
    """The blocks below each heading of the document that has some."""
    parts = re.split(r"^## (.+)$", read("docs/adding.md"), flags=re.MULTILINE)[1:]
    found = {title: list(blocks(text)) for title, text in zip(parts[::2], parts[1::2], strict=True)}
    return {title: each for title, each in found.items() if each}


def changed(old: str, change: str) -> str:
    """A text after a change of lines: those with - go, those with + come, others must be there, once and in a row."""
    lines = change.splitlines(keepends=True)
    before = "".join(line[1:] for line in lines if line[0] != "+")
    after = "".join(line[1:] for line in lines if line[0] != "-")
    assert f"\n{old}".count(f"\n{before}") == 1, f"these lines are not there, or not once:\n{before}"
    return f"\n{old}".replace(f"\n{before}", f"\n{after}")[1:]


def apply(tree: Path, block: Block) -> None:
    path = tree / block.title
    if block.language == "diff":
        path.write_text(changed(path.read_text(encoding="utf-8"), block.text), encoding="utf-8")
        return
    assert not path.exists(), f"{block.title} is there already"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(block.text, encoding="utf-8")


def run(tree: Path, command: str) -> subprocess.CompletedProcess[str]:
    words = shlex.split(command)
    assert words[0] == "python"
    environment = {**os.environ, "PYTHONPATH": str(tree), "PYTEST_ADDOPTS": "-p no:cacheprovider"}
    return subprocess.run([sys.executable, *words[1:]], cwd=tree, env=environment, capture_output=True, text=True)


def copy(to: Path) -> Path:
    for name in TREE:
        shutil.copytree(ROOT / name, to / name, ignore=shutil.ignore_patterns("__pycache__", ".*_cache", "results"))
    for path in ROOT.glob("*.*"):
        if path.is_file():
            shutil.copy(path, to)
    return to


@pytest.mark.parametrize("title", sections())
def test_the_steps_of(title: str, tmp_path: Path) -> None:
    tree, given = copy(tmp_path), sections()[title]
    for block in given:
        if block.title:
            apply(tree, block)
    commands = [line for block in given if block.language == "sh" for line in block.text.splitlines()]
    assert commands, "steps without a command that tries them"
    for command in commands:
        done = run(tree, command)
        assert done.returncode == 0, f"{command}\n{done.stdout[-4000:]}\n{done.stderr[-2000:]}"


def test_an_operator_a_kernel_a_board_a_step_and_a_pass_are_walked() -> None:
    made = {block.title.rsplit("/", 1)[0] for each in sections().values() for block in each if block.language != "diff"}
    assert {
        "edgekc/ops",
        "runtime_c/kernels/portable",
        "runtime_c/kernels/dsp",
        "boards/small-an386",
        "edgekc/compression/steps",
    } <= made
    assert "edgekc/passes" in made


def test_a_step_that_is_left_out_is_noticed(tmp_path: Path) -> None:
    tree = copy(tmp_path)
    apply(tree, next(b for b in sections()["An operator that becomes a table"] if b.title == "edgekc/ops/__init__.py"))
    assert run(tree, "python -c 'import edgekc.ops'").returncode != 0


def test_a_change_that_does_not_fit_is_noticed() -> None:
    assert changed("a\nb\nc\n", " a\n-b\n+d\n") == "a\nd\nc\n"
    for wrong in (" a\n-c\n", " x\n+y\n"):
        with pytest.raises(AssertionError, match="are not there"):
            changed("a\nb\nc\n", wrong)

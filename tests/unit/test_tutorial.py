"""The tutorials in docs/, walked: their files are written and their commands run, in the order of each page."""

from __future__ import annotations

import shutil
from pathlib import Path

import pages
import pytest
import warm

# A page to the files that it has its reader write, and the least number of its blocks of commands.
PAGES = {
    "tutorial.md": (["train.py", "main.c"], 6),
    "tutorial_compress.md": (["mine.toml"], 3),
    "tutorial_search.md": (["candidates.py"], 3),
    "tutorial_board.md": (["mine.toml"], 4),
}
NEEDS = ("torch", "sklearn", "ziglang", "unicorn", "optuna")


def blocks(page: str) -> list[pages.Block]:
    """Those with a language; a block of `sh` is commands, others are files. The rest is what may be done besides."""
    return [block for block in pages.blocks(pages.read(f"docs/{page}")) if block.language]


@pytest.mark.parametrize("page", PAGES)
def test_every_block_is_a_file_or_commands(page: str) -> None:
    files, commands = PAGES[page]
    found = blocks(page)
    assert len(found) == pages.read(f"docs/{page}").count("```") / 2
    assert [block.title for block in found if block.language != "sh"] == files
    assert sum(block.language == "sh" for block in found) >= commands


def test_every_tutorial_is_walked() -> None:
    assert {path.name for path in (pages.ROOT / "docs").glob("tutorial*.md")} == set(PAGES)


def walk(page: str, folder: Path, programs: Path) -> str:
    """Writes its files and runs its commands in a folder; what they print."""
    warm.programs(programs)
    printed = ""
    for block in blocks(page):
        if block.language != "sh":
            (folder / block.title).write_text(block.text, encoding="utf-8")
            continue
        done = pages.shell(block.text, folder, programs)
        assert done.returncode == 0, f"{page}: {block.text}\n{done.stderr[-3000:]}"
        printed += done.stdout
    return printed


@pytest.mark.slow
def test_from_training_to_a_board_and_on(tmp_path: Path) -> None:
    """The pages on compressing and searching go on in the first one's folder."""
    for package in NEEDS:
        pytest.importorskip(package, reason=f"{package} is not installed")
    if shutil.which("cc") is None:
        pytest.skip("no C compiler of this machine's is called cc")
    folder = tmp_path / "work"
    folder.mkdir()
    assert "this is a 1\n" in walk("tutorial.md", folder, tmp_path / "bin")
    assert (folder / "report.html").stat().st_size > 50_000
    printed = walk("tutorial_compress.md", folder, tmp_path / "bin")
    assert "codebook 16, pairs 4 bits" in printed and "cluster 3 bits" in printed
    assert "meets the budgets" in walk("tutorial_search.md", folder, tmp_path / "bin")


@pytest.mark.slow
def test_a_board_of_your_own(tmp_path: Path) -> None:
    for package in ("ziglang", "unicorn"):
        pytest.importorskip(package, reason=f"{package} is not installed")
    folder = tmp_path / "work"
    folder.mkdir()
    printed = walk("tutorial_board.md", folder, tmp_path / "bin")
    assert "every byte equal" in printed and "flash write_image erase image.bin 0x08000000 bin" in printed

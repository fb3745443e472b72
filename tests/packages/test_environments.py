"""docs/environments.md, walked: blocks of commands run where their tools are, and paths in the others are there."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import package_networks as networks
import pages
import pytest

PAGE = pages.read("docs/environments.md")
SECTIONS = dict(re.findall(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))
# What a section's commands begin with, but for the shell's own and the project's.
NEEDS = {
    "CMake": ("cmake", "ctest"),
    "STM32CubeIDE": ("arm-none-eabi-gcc", "arm-none-eabi-size"),
    "Rust": ("cargo",),
    "WebAssembly": ("node",),
    "Android": ("cmake", "javac", "java"),
    "The C alone": ("cc",),
}
SAYS = {
    "CMake": ("100% tests passed", "the score of 0 is "),
    "STM32CubeIDE": ("(TOTALS)",),
    "Rust": ("the_output_is_right ... ok", "output: ["),
    "WebAssembly": (", right\n", "ten scores: true"),
    "Android": (", right\n",),
    "The C alone": ("the score of 0 is ",),
}


@pytest.mark.fast
def test_every_block_is_run_or_says_that_it_is_not() -> None:
    assert set(SECTIONS) == set(re.findall(r"\| \[([^\]]+)\]\(#", PAGE))
    for name, text in SECTIONS.items():
        languages = {block.language for block in pages.blocks(text)}
        assert languages <= {"sh", "text", "cmake", "c", "js"}, name
        assert ("sh" in languages) == ("**Run by the tests.**" in text) == (name in NEEDS), name
        assert ("text" in languages) == ("**Not run here.**" in text), name
        commands = "".join(block.text for block in pages.blocks(text) if block.language == "sh")
        words = set(re.findall(r"^([\w./-]+)", commands, re.MULTILINE)) - {"cd", "mkdir", "edgekc"}
        assert {word for word in words if not word.startswith("./")} == set(NEEDS.get(name, ())), name


def prepared(place: Path) -> None:
    """The programs that the page calls, the files that it shows, and what its first block writes."""
    pages.commands(place / "bin")
    (place / "edgekc").symlink_to(pages.ROOT / "edgekc")
    networks.crates_of_this_machine(place)
    first, *others = pages.blocks(PAGE)
    assert first.language == "sh"
    done = run(first.text, place)
    assert done.returncode == 0, done.stderr
    for block in others:
        if block.title:
            (place / block.title).parent.mkdir(exist_ok=True)
            (place / block.title).write_text(block.text, encoding="utf-8")


def run(commands: str, place: Path) -> subprocess.CompletedProcess[str]:
    return pages.shell(commands, place, place / "bin", {"CARGO_NET_OFFLINE": "true"})


@pytest.mark.slow
def test_the_page_from_top_to_bottom(tmp_path: Path) -> None:
    """One test, since every process that runs a part would compile the packages first."""
    pytest.importorskip("ziglang", reason="ziglang is not installed: the package for WebAssembly needs it")
    prepared(tmp_path)
    missing = []
    for name, tools in NEEDS.items():
        absent = [tool for tool in tools if shutil.which(tool) is None]
        printed = ""
        for block in [] if absent else [each for each in pages.blocks(SECTIONS[name]) if each.language == "sh"]:
            done = run(block.text, tmp_path)
            if done.returncode and "no matching package named `cc`" in done.stderr:
                absent.append("the crate cc")
                break
            assert done.returncode == 0, f"{block.text}\n{done.stdout[-2000:]}\n{done.stderr[-3000:]}"
            printed += done.stdout
        assert absent or [words for words in SAYS[name] if words not in printed] == [], printed
        missing += absent
    named = set(re.findall(r"out/(?:packages/)?[\w./-]*\w", PAGE))
    assert len(named) > 10
    assert sorted(path for path in named if not (tmp_path / path).exists()) == []
    if missing:
        pytest.skip(f"all that could run was right; not installed: {', '.join(dict.fromkeys(missing))}")

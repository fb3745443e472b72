"""README.md is short, and what it shows is true: its commands, its Python, its lines of output.

`python tests/unit/test_readme.py` writes .ci/package_index.md anew: README's links as a package index needs them.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import cli_command as cli
import pytest

from edgekc.boards.board import load_board
from edgekc.errors import ToolError
from edgekc.firmware.toolchain import arm_compiler, emulator

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
USING = (ROOT / "docs" / "using.md").read_text(encoding="utf-8")
SOURCE = "https://github.com/edgekc/edgekc"
PACKAGE_INDEX = ROOT / ".ci" / "package_index.md"
PYTHON = re.findall(r"^```python\n(.*?)^```", README, re.DOTALL | re.MULTILINE)


def block(text: str, name: str) -> list[str]:
    """The lines of the code block under a marker."""
    found = re.search(rf"<!-- {name} -->\n(.*?)<!-- end -->", text, re.DOTALL)
    assert found is not None, f"there is no <!-- {name} --> ... <!-- end -->"
    return [line for line in found[1].splitlines() if line.strip() and not line.startswith("```")]


def test_readme_is_short() -> None:
    assert len(README.splitlines()) <= 150
    assert PYTHON and len(PYTHON[0].splitlines()) <= 15
    assert len(block(README, "lines: demo")) == 6


def test_readme_says_early_what_was_not_done() -> None:
    limits = re.findall(r"Nothing has been flashed to real hardware yet|They are not cycles and not time", README)
    assert len(limits) == 2
    assert README.index(limits[-1]) < README.index("## Try it")


def test_readme_lines_of_output_are_of_the_report() -> None:
    report = block(USING, "output: demo")
    assert [line for line in block(README, "lines: demo") if line not in report] == []


def test_readme_sums_are_of_the_report() -> None:
    """Flash, RAM and instructions, which the report has in tables."""
    report = [" ".join(line.split()) for line in block(USING, "output: demo")]
    flash, ram = (line.removeprefix("model ") for line in report if re.fullmatch(r"model [\d,]+", line))
    (total,) = (line for line in report if line.startswith("all ") and not line.startswith("all that"))
    said = f"{flash} bytes of flash, {ram} bytes of RAM and {total.split()[2]} instructions"
    assert said in " ".join(README.split())


def test_readme_commands_are_what_ci_runs_first_and_as_they_stand() -> None:
    """.ci/run asks .ci/readme.py for them, and installs nothing before."""
    for name in ("demo", "test"):
        printed = subprocess.run(
            [sys.executable, str(ROOT / ".ci" / "readme.py"), name], capture_output=True, text=True, check=True
        )
        assert printed.stdout.splitlines() == block(README, f"command: {name}")
    ci = (ROOT / ".ci" / "run").read_text()
    assert "for name in demo test; do" in ci
    assert ci.index('.ci/readme.py "$name"') < ci.index("pip install")


def test_readme_demo_command_installs_the_extra_that_exists() -> None:
    (command,) = block(README, "command: demo")
    project = (ROOT / "pyproject.toml").read_text()
    extras = re.findall(r"'\.\[(\w+)\]'", command)
    assert extras == ["arm"]
    assert re.search(r"^arm = \[.*ziglang.*unicorn", project, re.MULTILINE)


def test_readme_calls_edgekc_one_way() -> None:
    """In the activated environment, everywhere a stranger reads."""
    for name in ("demo", "test"):
        assert ". .venv/bin/activate && " in block(README, f"command: {name}")[0]
    assert ".venv/bin/" not in (README + USING).replace(". .venv/bin/activate", "")


@pytest.mark.parametrize("number", range(len(PYTHON)))
def test_readme_python_runs(number: int, tmp_path: Path) -> None:
    """As it stands but for the folder: it writes where it runs."""
    try:
        arm_compiler(load_board(cli.BOARD))
        emulator(load_board(cli.BOARD))
    except ToolError as error:
        pytest.skip(str(error))
    program = re.sub(r'"(?=edgekc/)', f'"{ROOT.as_posix()}/', PYTHON[number])
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{program}"],
        cwd=tmp_path, capture_output=True, text=True, check=False, timeout=600, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "99.4" in done.stdout  # 358 of 360
    assert {"manifest.json", "src", "include"} <= {path.name for path in (tmp_path / "out").iterdir()}


def package_index() -> str:
    """README's link definitions with full addresses; pictures come from where the file itself is served."""
    lines = []
    for name, target in re.findall(r"^\[([\w-]+)\]: (\S+)$", README, re.MULTILINE):
        is_picture = target.endswith(".svg")
        base = "https://raw.githubusercontent.com/edgekc/edgekc/main/" if is_picture else f"{SOURCE}/blob/main/"
        lines.append(f"[{name}]: {base}{target}")
    return "\n".join(lines) + "\n"


def test_readme_links_are_whole_on_a_package_index() -> None:
    assert re.findall(r"\]\((?!https://)[^)]*\)", README) == [], "link by a definition at the end: [words][name]"
    assert package_index() == PACKAGE_INDEX.read_text(encoding="utf-8"), "run: python tests/unit/test_readme.py"
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert f'Source = "{SOURCE}"' in project
    assert '[".ci/package_index.md", "README.md"]' in project


if __name__ == "__main__":
    PACKAGE_INDEX.write_text(package_index(), encoding="utf-8")

"""Static analysis of the C that everybody gets, and of all that reads bytes of anybody, by three tools.

That is: the portable kernels with a generated network, its constants in it and in a blob; the console, updates, front
ends, and what reads recordings and images.

    python .ci/static.py    # gcc -fanalyzer, clang-tidy (.clang-tidy) and cppcheck; about 30 CPU-seconds

Each finding must be answered in .ci/static_answers.toml, with the reason why it stands. A finding without an answer, an
answer without a finding, and a tool that is missing are errors.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[1]
ANSWERS = ROOT / ".ci" / "static_answers.toml"
MODEL = ROOT / "edgekc" / "demo" / "data" / "digits_int8.tflite"
READERS = ("update", "apps", "frontend")  # folders of what reads bytes of anybody
BOARD = "mps2-an385"  # a core without extensions: all of its kernels are portable
JOBS = 2
# The analyser of clang gives up on a function after so many states; the default of 225,000 takes 25 times as long and
# finds the same.
CLANG_STATES = ("max-nodes=4000",)
FINDING = re.compile(
    r"^(?P<path>[^:\n]+):(?P<line>\d+):\d+: (?:warning|error): (?P<text>.*) \[-?(?P<check>[^\]]+)\]$", re.M
)
CPPCHECK = "--template={file}:{line}:{column}: warning: {message} [{id}]"


class Finding(NamedTuple):
    tool: str
    check: str
    file: str
    line: int
    text: str


class Tool(NamedTuple):
    name: str
    version: str
    commands: Sequence[Sequence[str]]


def tools(sources: Sequence[Path], includes: Sequence[str], scratch: Path) -> list[Tool]:
    """Each tool with its version and the commands that look at all sources."""
    tidy = "clang-tidy-19" if shutil.which("clang-tidy-19") else "clang-tidy"
    for program in ("gcc", tidy, "cppcheck"):
        if shutil.which(program) is None:
            raise SystemExit(f"{program} is not installed: apt-get install gcc clang-tidy-19 cppcheck")
    names = [str(path) for path in sources]
    gcc = ("gcc", "-std=c99", "-O2", "-fanalyzer", *includes, "-c", "-o", "/dev/null")
    states = [f"--extra-arg={word}" for s in CLANG_STATES for word in ("-Xclang", "-analyzer-config", "-Xclang", s)]
    halves = [names[k::JOBS] for k in range(JOBS)]
    cppcheck = ["cppcheck", "--quiet", f"-j{JOBS}", "--std=c99", "--enable=warning,performance,portability,style"]
    cppcheck += [f"--cppcheck-build-dir={scratch}", CPPCHECK, *includes, *names]
    return [
        Tool("gcc", _version("gcc", "-dumpfullversion"), [(*gcc, name) for name in names]),
        Tool(
            "clang-tidy",
            _version(tidy, "--version"),
            [(tidy, "--quiet", *states, *half, "--", "-std=c99", *includes) for half in halves],
        ),
        Tool("cppcheck", _version("cppcheck", "--version"), [cppcheck]),
    ]


def _version(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = re.search(r"\d+\.\d+(\.\d+)*", done.stdout)
    return found[0] if found else "?"


def findings(tool: Tool) -> set[Finding]:
    """What the tool says of our files, each place once."""

    def run(command: Sequence[str]) -> Iterator[Finding]:
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
        text = done.stdout + done.stderr
        found = [
            Finding(tool.name, m["check"].split(",")[0], Path(m["path"]).name, int(m["line"]), m["text"])
            for m in FINDING.finditer(text)
        ]
        if done.returncode != 0 and not found:
            raise SystemExit(f"{tool.name} failed: {text[-2000:]}")
        yield from found

    with ThreadPoolExecutor(JOBS) as pool:
        return {finding for some in pool.map(lambda command: list(run(command)), tool.commands) for finding in some}


def unanswered(found: set[Finding], answers: Sequence[dict[str, object]]) -> tuple[list[Finding], list[str]]:
    """Findings without an answer, and answers without a finding."""
    answered = {(a["tool"], a["check"], file) for a in answers for file in a["files"]}  # type: ignore[attr-defined]
    seen = {(f.tool, f.check, f.file) for f in found}
    return (
        sorted(f for f in found if (f.tool, f.check, f.file) not in answered),
        sorted(" ".join(map(str, key)) for key in answered - seen),
    )


def main() -> int:
    told = tomllib.loads(ANSWERS.read_text(encoding="utf-8"))
    if short := [a["check"] for a in told["answer"] if len(a["reason"].split()) < 5]:
        raise SystemExit(f"{ANSWERS.name}: no reason for {', '.join(short)}")
    with tempfile.TemporaryDirectory() as folder:
        scratch, runtime = Path(folder) / "cppcheck", ROOT / "runtime_c"
        scratch.mkdir()
        sources = [*sorted((runtime / "kernels" / "portable").glob("*.c")), runtime / "port" / "ek_console.c"]
        readers = [path for part in READERS for path in sorted((runtime / part).glob("*.c"))]
        sources += [path for path in readers if "monocypher" not in path.name]  # it needs that library
        folders = [runtime / part for part in ("include", "port", *READERS)] + [*(runtime / "kernels").iterdir()]
        for name, options in (("digits", ()), ("of_data", ("--blob",))):
            out = Path(folder) / name
            command = [sys.executable, "-m", "edgekc", "compile", str(MODEL), "-o", str(out), "--board", BOARD]
            subprocess.run([*command, "--name", name, *options], check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
            sources.append(out / "src" / f"{name}.c")
            folders.append(out / "include")
        includes = [f"-I{path}" for path in folders]
        found: set[Finding] = set()
        usual = True
        for tool in tools(sources, includes, scratch):
            some = findings(tool)
            found |= some
            expected = told["versions"][tool.name]
            usual &= tool.version.startswith(expected)
            note = "" if tool.version.startswith(expected) else f"; the answers are for {expected}"
            print(f"{tool.name} {tool.version}: {len(sources)} files, {len(some)} findings{note}")
    new, stale = unanswered(found, told["answer"])
    for finding in new:
        print(f"no answer: {finding.file}:{finding.line}: {finding.text} [{finding.tool} {finding.check}]")
    for answer in stale:
        print(f"{'answer without a finding' if usual else 'not found by these versions'}: {answer}")
    return int(bool(new or (stale and usual)))


if __name__ == "__main__":
    sys.exit(main())

"""README.md has the operators, boards and figures of the project, and the commands that .ci/run runs.

`python tests/unit/test_readme.py` writes the tables anew, that of docs/measuring.md as well, and with `--demo` the
report of `edgekc demo` too.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from edgekc.boards.board import list_boards, load_board
from edgekc.importers.tflite.int8 import HANDLERS
from edgekc.ops import LOWER, OPS, SOURCES

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
MEASURING = ROOT / "docs" / "measuring.md"
OUR_DOCS = (
    "README.md",
    "CONTRIBUTING.md",
    "docs/walk.md",
    "docs/adding.md",
    "docs/testing.md",
    "docs/measuring.md",
    "docs/boards.md",
)
# Operators whose name in the graph is not the file's name in lower case, without _2D.
KINDS = {"CONV_2D": "conv2d", "DEPTHWISE_CONV_2D": "depthwise", "CONCATENATION": "concat"}
KINDS |= {"RELU6": "relu", "RELU_N1_TO_1": "relu", "EXPAND_DIMS": "reshape", "SQUEEZE": "reshape", "PADV2": "pad"}
# Operators that no operator of ours is a lowering of.
REWRITTEN = {"DEQUANTIZE": "dropped at the outputs, which are then int8"}
MODELS = {"ic": "IC ResNet-8", "kws": "KWS DS-CNN", "vww": "VWW MobileNetV1 0.25", "ad": "AD autoencoder"}
FIGURES = (
    "code and tables, bytes",
    "flash with weights, bytes",
    "arena, bytes",
    "arena, input and output, bytes",
    "peak stack, bytes",
    "instructions",
)
M55_FIGURES = ("flash with weights, bytes", "arena, bytes", "instructions")


def markdown(rows: list[tuple[str, ...]]) -> str:
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([lines[0], "|" + "---|" * len(rows[0]), *lines[1:]])


def operators() -> str:
    """One row an operator, with what TensorFlow Lite calls it."""
    files: dict[str, list[str]] = {name: [] for name in OPS}
    rewritten = []
    for builtin in HANDLERS:
        kind = KINDS.get(builtin, builtin.lower().removesuffix("_2d"))
        name = (SOURCES[kind].becomes or kind) if kind in LOWER else None
        if name is not None:
            files[name].append(f"`{builtin}`")
        else:
            rewritten.append((f"`{builtin}`", "", REWRITTEN.get(builtin, "rewritten to the others on import")))
    rows = [("TensorFlow Lite", "edgekc", "C kernels")]
    for op in OPS.values():
        needs: dict[str, list[str]] = {}
        for k in op.kernels:
            needs.setdefault(k.symbol, []).extend([" ".join(sorted(k.needs))] if k.needs else [])
        kernels = [f"`{symbol}`" + (f" ({' or '.join(words)})" if words else "") for symbol, words in needs.items()]
        rows.append((", ".join(files[op.name]), op.name, ", ".join(kernels)))
    return markdown([*rows, *rewritten])


def boards() -> str:
    rows = [("board", "core", "features", "flash", "RAM", "reached by", "note")]
    for name in list_boards():
        b = load_board(name)
        sizes = ("" if size is None else f"{size // 1024:,} KiB" for size in (b.flash_bytes, b.ram_bytes))
        rows.append((f"`{name}`", b.core.name, " ".join(sorted(b.features)), *sizes, ", ".join(b.reached), b.note))
    return markdown(rows)


def figures() -> str:
    """edgekc against the peer, from the committed results of benchmarks/tflm.py."""
    rows = [("edgekc / peer", *MODELS.values())]
    rows += _rows_of("tflm_m4.json", "mps2-an386", FIGURES)
    rows += [(f"Cortex-M55: {name}", *cells) for name, *cells in _rows_of("tflm_m55.json", "mps3-an547", M55_FIGURES)]
    return markdown(rows)


def _rows_of(file: str, board: str, figures: tuple[str, ...]) -> list[tuple[str, ...]]:
    found: dict[tuple[str, str], dict[str, Any]] = {
        (row["figure"], row["model"]): row for row in _result(file)["boards"][board]["rows"]
    }
    rows: list[tuple[str, ...]] = []
    for figure in figures:
        cells = (found[figure, model] for model in MODELS)
        rows.append((figure, *(f"{c['ours']:,} / {c['peer']:,} = **{c['ratio']:.2f}**" for c in cells)))
    return rows


def losses() -> str:
    """Each packed model beside the dense int8 one, from the committed results of benchmarks/losses.py."""
    rows = [("on a Cortex-M4", "flash, bytes", "RAM, bytes", "instructions", "right", "points lost to float, 95 %")]
    for r in _result("losses.json")["rows"]:
        linked = r["linked"]
        sizes = (f"{linked[key]:,}" for key in ("flash_bytes", "ram_bytes", "instructions"))
        right = f"{r['right']:,} of {r['samples']:,}"
        rows.append((f"{r['model']}, {r['form']}", *sizes, right, f"{r['points_lost']:.2f} ± {r['half_width']:.2f}"))
    return markdown(rows)


def litert() -> str:
    """Times beside LiteRT's, from the committed results of benchmarks/litert.py."""
    rows = [("µs of one inference, edgekc / LiteRT", "wall", "processor")]
    for r in _result("litert.json")["models"]:
        wall, cpu = (
            f"{r[f'edgekc_{u}us']:,.1f} / {r[f'litert_{u}us']:,.1f} = {r[f'edgekc_{u}us'] / r[f'litert_{u}us']:.2f}"
            for u in ("", "cpu_")
        )
        rows.append((r["model"], wall, cpu))
    return markdown(rows)


def _result(file: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((ROOT / "benchmarks" / "results" / file).read_text())
    return found


def block(text: str, name: str) -> re.Match[str]:
    found = re.search(rf"(?<=<!-- {name} -->\n).*?(?=<!-- end -->)", text, re.DOTALL)
    assert found is not None, f"there is no <!-- {name} --> ... <!-- end -->"
    return found


def with_block(text: str, name: str, content: str) -> str:
    found = block(text, name)
    return f"{text[: found.start()]}\n{content}\n\n{text[found.end() :]}"


def with_tables(text: str) -> str:
    tables = {"operators": operators(), "boards": boards(), "figures": figures(), "losses": losses()}
    for name, content in tables.items():
        text = with_block(text, name, content)
    return text


def commands(text: str, name: str) -> list[str]:
    """The lines of the code block under a marker."""
    return [line for line in block(text, name)[0].splitlines() if line.strip() and not line.startswith("```")]


def test_tables_are_current() -> None:
    text = README.read_text()
    assert with_tables(text) == text, "run: python tests/unit/test_readme.py"
    text = MEASURING.read_text()
    assert with_block(text, "litert", litert()) == text, "run: python tests/unit/test_readme.py"


def test_losses_of_packed_models_are_those_measured() -> None:
    """The table of models has them by hand, beside what only a training run knows."""
    text = README.read_text()
    for r in _result("losses.json")["rows"]:
        if r["form"] == "packed":
            lost = f"{r['points_lost']:.2f} ± {r['half_width']:.2f}"
            percent = (100 * r[key] / r["samples"] for key in ("float_right", "right"))
            assert " | ".join([*(f"{p:.2f} %" for p in percent), lost]) in text, r["model"]


def test_ci_runs_the_commands_first_and_as_they_stand() -> None:
    """.ci/run asks .ci/readme.py for them, and installs nothing before."""
    for name in ("demo", "test"):
        printed = subprocess.run(
            [sys.executable, str(ROOT / ".ci" / "readme.py"), name], capture_output=True, text=True, check=True
        )
        assert printed.stdout.splitlines() == commands(README.read_text(), f"command: {name}")
    ci = (ROOT / ".ci" / "run").read_text()
    assert "for name in demo test; do" in ci
    assert ci.index('.ci/readme.py "$name"') < ci.index("pip install")


def test_demo_command_installs_the_extra_that_exists() -> None:
    (command,) = commands(README.read_text(), "command: demo")
    project = (ROOT / "pyproject.toml").read_text()
    extras = re.findall(r"'\.\[(\w+)\]'", command)
    assert extras == ["arm"]
    assert re.search(r"^arm = \[.*ziglang.*unicorn", project, re.MULTILINE)


@pytest.mark.parametrize("name", OUR_DOCS)
def test_named_files_exist(name: str) -> None:
    """Paths in backquotes, and links, are of files that are there."""
    text = (ROOT / name).read_text()
    tops = r"edgekc|codegen|runtime_c|boards|tests|docs|benchmarks|examples|\.ci"
    named = {path for path in re.findall(rf"`((?:{tops})/[\w./-]+)`", text) if "foo" not in path and "NNN" not in path}
    linked = {str(Path(name).parent / to) for to in re.findall(r"\]\((?!https?:|#)([^)#]+)", text)}
    assert sorted(path for path in named | linked if not (ROOT / path).exists()) == []


@pytest.mark.parametrize("name", OUR_DOCS)
def test_named_commands_exist(name: str) -> None:
    from typer.main import get_command

    from edgekc.cli.main import app

    known = set(get_command(app).commands)  # type: ignore[attr-defined]
    text = (ROOT / name).read_text()
    code = "\n".join(re.findall(r"^```\n(.*?)^```", text, re.DOTALL | re.MULTILINE))
    used = {*re.findall(r"[`/]edgekc ([a-z]+)", text), *re.findall(r"^edgekc ([a-z]+)", code, re.MULTILINE)}
    assert sorted(used - known) == []


def demo_report() -> str:
    with tempfile.TemporaryDirectory() as folder:
        # README's command brings no LiteRT.
        program = "import sys; sys.modules['ai_edge_litert'] = None; from edgekc.cli.main import run; run()"
        environment = {**os.environ, "COLUMNS": "100", "PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            [sys.executable, "-c", program, "demo"], cwd=folder, env=environment, capture_output=True, text=True,
            check=True,
        )  # fmt: skip
    lines = [line.rstrip() for line in done.stdout.splitlines()]
    text = re.sub(r"\n{2,}", "\n\n", "\n".join(lines)).strip()
    return f"```\n{text}\n```"


if __name__ == "__main__":
    fresh = with_tables(README.read_text())
    if "--demo" in sys.argv:
        fresh = with_block(fresh, "output: demo", demo_report())
    README.write_text(fresh)
    MEASURING.write_text(with_block(MEASURING.read_text(), "litert", litert()))

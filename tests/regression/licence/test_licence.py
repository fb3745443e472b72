"""Whose what is: LICENSE, and one line in every file of C that we ship or write."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

from edgekc.boards.board import load_board
from edgekc.demo.walk import DATA
from edgekc.generate.front_matter import RIGHTS
from edgekc.pipeline import compile_model, target_of

ROOT = Path(__file__).resolve().parents[3]
SPDX = "SPDX-License-Identifier: Apache-2.0"
# Of the text as the Apache Software Foundation publishes it.
APACHE = "cfc7749b96f63bd31c3c42b5c471bf756814053e847c10f3eb003417bc523d30"
CODE = (".c", ".h", ".cpp", ".ino", ".rs", ".js", ".mjs", ".ts", ".css", ".java", ".cmake", ".in", ".S", ".ld")
PACKED = ROOT / "examples" / "models" / "kws_dscnn.ekc"


def first_line(text: str) -> str:
    return text.splitlines()[0].strip("/* #")


def test_licence_is_the_standard_text_and_the_package_names_it() -> None:
    assert hashlib.sha256((ROOT / "LICENSE").read_bytes()).hexdigest() == APACHE
    project = (ROOT / "pyproject.toml").read_text()
    assert re.search(r'^license = "Apache-2.0"$', project, re.MULTILINE)
    assert re.search(r'^license-files = \["LICENSE"\]$', project, re.MULTILINE)


def test_every_shipped_c_file_and_template_begins_with_it() -> None:
    """Templates of code, but for those that only fill in another one; texts, tables and settings have no such line."""
    shipped = [p for p in sorted((ROOT / "runtime_c").rglob("*")) if p.is_file()]
    templates = [p for p in sorted((ROOT / "codegen").rglob("*")) if p.is_file()]
    names = {p: p.name.removesuffix(".j2") for p in templates}
    shipped += [p for p, name in names.items() if Path(name).suffix in CODE or name in ("CMakeLists.txt", "Makefile")]
    assert len(shipped) > 200
    texts = {str(p.relative_to(ROOT)): p.read_text() for p in shipped}
    own = {name: text.lstrip() for name, text in texts.items() if "{% extends" not in text.splitlines()[0]}
    begins = {name: re.sub(r"^({%.*?%}\s*)+", "", text) for name, text in own.items()}
    assert [name for name, text in begins.items() if first_line(text) != SPDX] == []


@pytest.mark.parametrize("model", [DATA / "digits_int8.tflite", PACKED], ids=["dense", "packed"])
@pytest.mark.parametrize("board", ["mps2-an385", "mps3-an547", "linux-aarch64"])
def test_every_generated_file_begins_with_it(model: Path, board: str) -> None:
    files = compile_model(model, "net", target_of(load_board(board))).files
    texts = {path: data.decode() for path, data in files.items() if path not in ("net.ekc", "manifest.json")}
    assert [path for path, text in texts.items() if first_line(text) != SPDX] == []
    # The line alone would put the user's weights under our licence.
    ours = {"include/net.h", "include/net_data.h", "src/net.c", "src/net_data.c", "CMakeLists.txt"}
    assert {path for path, text in texts.items() if all(line in text for line in RIGHTS)} == ours

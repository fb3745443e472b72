"""Whatever the layers of a packed model are called, its C compiles, and reports keep the names."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from format.graphs import OUTPUT, Builder, tiny
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgekc.format.pack import pack, read
from edgekc.generate.plan import plan
from edgekc.generate.sources import generate
from edgekc.graph.ir import Graph
from edgekc.names import in_comment, params_names

HERE = Path(__file__).parent
GCC = shutil.which("gcc")
needs_gcc = pytest.mark.skipif(GCC is None, reason="gcc is not installed")
FLAGS = ("-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Wbidi-chars=any", "-Wtrigraphs", "-Werror")
BAD = [
    "layer_0", "layer_1", "layer_2", "layer_10", "layer_1_params", "ek_conv2d", "ek_depthwise", "ekc_trace", "ek", "in",
    "out", "ram", "arena", "net", "net_ekc", "int", "restrict", "_Bool", "_x", "__x", "NULL", "EKC_OK", "BYTES", "a b",
    "a-b", "a/b", "*/ int x; /*", "/*", "//", "??/", "x\\", "\\", "\n", "\r", "\t", "\x00", "\x1b[31m", "\u202e",
    "\u2066x", "\u2028", "é", "名", "𝒶", "", " ", "7", "x" * 57, "x" * 56, "x" * 300, "conv", "Conv", "CONV",
]  # fmt: skip
NAME = st.one_of(st.sampled_from(BAD), st.text(st.characters(codec="utf-8"), max_size=40))
MANY = 24  # a compiler is started for each network, so one with many layers tries more names in a second


def files_of(names: Sequence[str], graph: Graph) -> dict[str, bytes]:
    """The net as C for any core; more names than a packed file may have."""
    data = pack(graph)
    packed = read(data, "net.ekc")
    nodes = tuple(replace(n, name=x) for n, x in zip(packed.graph.nodes, names, strict=True))
    packed = replace(packed, graph=replace(packed.graph, nodes=nodes))
    return generate(plan(packed.graph, frozenset()), packed, data, "net", "none")


def check_c(files: dict[str, bytes], folder: Path) -> None:
    for path, data in files.items():
        if path.startswith("include/") or path == "src/net.c":
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(data)
    assert GCC is not None
    done = subprocess.run(
        [GCC, *FLAGS, "-fsyntax-only", "-Iinclude", "src/net.c"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@needs_gcc
@pytest.mark.parametrize("name", ["collide.ekc", "struct.ekc"])
def test_the_models_that_did_not_compile(tmp_path: Path, name: str) -> None:
    data = (HERE / name).read_bytes()
    packed = read(data, name)
    check_c(generate(plan(packed.graph, frozenset()), packed, data, "net", "none"), tmp_path)


@needs_gcc
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(names=st.lists(NAME, min_size=3, max_size=3, unique=True))
def test_any_names_compile(tmp_path: Path, names: list[str]) -> None:
    files = files_of(names, tiny())
    check_c(files, tmp_path)
    assert [layer["name"] for layer in json.loads(files["manifest.json"])["layers"]] == names


@needs_gcc
@pytest.mark.slow
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(names=st.lists(NAME, min_size=MANY, max_size=MANY, unique=True))
def test_many_names_compile(tmp_path: Path, names: list[str]) -> None:
    net = Builder((1, 1, 1, 1))
    for layer in range(MANY):
        net.linear("fully_connected", f"dense_{layer}", dict(OUTPUT), (1, 1), (1, 1, 1, 1))
    check_c(files_of(names, net.graph()), tmp_path)


@given(names=st.lists(st.one_of(st.sampled_from(BAD), st.text(max_size=20)), max_size=12))
def test_names_of_parameters_are_identifiers_of_their_own(names: list[str]) -> None:
    made = params_names(names)
    assert len(set(made)) == len(made) == len(names)
    for name in made:
        assert re.fullmatch(r"(?!ek_|ekc_|ekh_)[A-Za-z][A-Za-z0-9_]{0,62}", name, re.ASCII)


def test_names_that_are_safe_stay() -> None:
    """The C of the models that compile today is the same to the byte."""
    assert params_names(["conv_0", "add_5", "Conv2D", "layer", "layer_x", "int"]) == (
        "conv_0_params", "add_5_params", "Conv2D_params", "layer_params", "layer_x_params", "int_params",
    )  # fmt: skip
    assert params_names(["a b", "layer_0", "x", "x"]) == tuple(f"layer_{i}_params" for i in range(4))


@given(text=st.text())
def test_a_comment_holds_no_more_than_ascii(text: str) -> None:
    shown = in_comment(text)
    assert len(shown) == len(text)
    assert shown.isascii() and shown.isprintable()
    assert not set(shown) & set("*\\?\"'")

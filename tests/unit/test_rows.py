"""Layers that run by rows: which plan is chosen, what it says, and what the command prints."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from cli_command import call, complaint
from models import model_path

from edgekc.boards.board import load_board
from edgekc.emulate.compare import compare
from edgekc.errors import CapacityError, UnsupportedError, UsageError
from edgekc.figures import parse_bytes
from edgekc.files.output import write_folder
from edgekc.firmware.toolchain import host_compiler
from edgekc.format.pack import pack
from edgekc.generate.arena import lower_bound
from edgekc.generate.choice import choose_kernel
from edgekc.generate.plan import base_of, blocks_of
from edgekc.generate.row_costs import group_cost
from edgekc.generate.row_groups import group_of, schedule
from edgekc.generate.row_search import Search
from edgekc.generate.rows import Slice, Window, row_layer, slices
from edgekc.generate.within import plan_for
from edgekc.graph.ir import Graph, Node, Quant, Role, Stage, Tensor, constant
from edgekc.pipeline import Compiled, Target, compile_packed, integer_graph, target_of

M4 = load_board("mps2-an386")


@cache
def packed(name: str) -> bytes:
    """As `compile` packs it: the passes run once for all tests."""
    path = model_path(name)
    return pack(integer_graph(path.read_bytes(), name, path, "tflite", lambda text: None))


def compiled(name: str, ram: int | None) -> Compiled:
    return compile_packed(packed(name), name, name, replace(target_of(M4), model_ram_bytes=ram))


# What was asked of each network on a Cortex-M4; arena bytes, and estimated cycles beyond the fastest plan's.
@pytest.mark.parametrize(
    ("name", "ram", "cycles"), [pytest.param("vww", 21_000, 0.05, marks=pytest.mark.slow), ("ic", 19_000, 0.42)]
)
def test_the_plan_fits_and_costs_little(name: str, ram: int, cycles: float) -> None:
    found = compiled(name, ram)
    fastest = {"vww": 7.1e6, "ic": 12.1e6}[name]
    assert found.plan.groups and found.plan.arena_bytes + 1024 <= ram
    assert found.plan.ram is not None and 0 < found.plan.ram.more_cycles < cycles * fastest
    assert found.plan.ram.least <= ram < found.plan.ram.fastest


def test_with_room_nothing_changes() -> None:
    usual = compiled("vww", None)
    roomy = compiled("vww", 1 << 20)
    same = [name for name in usual.files if name != "manifest.json"]
    assert all(usual.files[name] == roomy.files[name] for name in same) and not roomy.plan.groups


def test_too_little_names_the_least_that_would_do() -> None:
    with pytest.raises(CapacityError) as error:
        compiled("ic", 8000)
    least = int(str(error.value).split(" bytes at the least")[0].rsplit(" ", 1)[1])
    assert compiled("ic", least).plan.ram is not None
    with pytest.raises(CapacityError, match=f"{least} bytes at the least"):
        compiled("ic", least - 1)


@pytest.mark.slow
def test_verify_names_the_layer(tmp_path: Path) -> None:
    """Rows of a layer are put together before they are compared."""
    found = compiled("vww", 24_000)
    write_folder(found.files, tmp_path)
    manifest = json.loads(found.files["manifest.json"])
    inputs = np.random.default_rng(1).integers(0, 256, 2 * 27648, dtype=np.uint8).tobytes()
    assert compare(tmp_path, None, inputs).layers == len(manifest["layers"])
    source = tmp_path / "src" / "vww.c"
    text = source.read_text()
    place = text.index(".out_zero = ", text.index("depthwise_conv_3_params = "))
    source.write_text(text[:place] + ".out_zero = 3 + " + text[place + len(".out_zero = ") :])
    with pytest.raises(Exception, match="layer 3 depthwise_conv_3"):
        compare(tmp_path, None, inputs)


@pytest.mark.slow
def test_the_command_prints_both_ends(tmp_path: Path) -> None:
    said = call("compile", model_path("vww"), "-o", tmp_path / "out", "--ram", "25k").out
    assert "by rows: conv_" in said and "25,000 asked" in said and "the least that would do" in said
    assert "no number of bytes" in complaint(call("compile", model_path("vww"), "-o", tmp_path / "o", "--ram", "much"))


def test_sizes() -> None:
    assert [parse_bytes(t, "x") for t in ("20000", "20k", "20 kB", "1.5Ki", "64KiB", " 1 mb ", "1Mi")] == [
        20_000, 20_000, 20_000, 1536, 65_536, 1_000_000, 2**20]  # fmt: skip
    for text in ("", "k", "-1", "1e3", "20 kk", "64 g", "many"):
        with pytest.raises(UsageError, match="x"):
            parse_bytes(text, "x")


# ---- calls ----


def test_slices_see_padding_where_the_image_has_it() -> None:
    window = Window(3, 2, 1)
    assert slices(window, 7, 4, 2) == (Slice(0, 2, 0, 4), Slice(2, 2, 3, 7))
    assert slices(Window(3, 1, 3), 5, 8, 1) is None  # the first row sees nothing but padding


def test_every_row_is_made_once_and_in_time() -> None:
    found = compiled("ic", 20_600).plan
    (group,) = found.groups
    made = [0] * len(group.rows.tensors)
    made[0] = group.rows.tensors[0].height
    for k, c in schedule(group.rows.layers, group.rows.inputs):
        call = group.rows.layers[k].calls[c]
        assert call.first == made[k + 1] and all(made[t] >= call.end for t in group.rows.inputs[k])
        made[k + 1] += call.count
    assert made == [t.height for t in group.rows.tensors]


def two_adds() -> Graph:
    """An image through three additions of constants, of which the second is read twice."""
    shape, q = (1, 6, 2, 4), Quant((1.0,), (0,))
    attrs = {
        "a_zero": 0, "b_zero": 0, "a_multiplier": 1 << 30, "a_shift": 0, "b_multiplier": 1 << 30, "b_shift": 0,
        "out_multiplier": 1 << 30, "out_shift": -18, "out_zero": 0, "act_min": -128, "act_max": 127,
    }  # fmt: skip
    k = constant("k", np.ones((1, 1, 1, 4), np.int8), Role.WEIGHTS)
    names = ("x", "a", "b", "y")
    tensors = {n: Tensor(n, shape, "int8", q) for n in names} | {"k": k}
    nodes = (
        Node("add", "first", ("x", "k"), ("a",), attrs),
        Node("add", "second", ("a", "k"), ("b",), attrs),
        Node("add", "third", ("a", "b"), ("y",), attrs),
    )
    return Graph("net", Stage.INTEGER, tensors, nodes, ("x",), ("y",), {})


def test_a_buffer_holds_the_rows_that_are_needed() -> None:
    """Row by row one row of each; what is read once lies where the output goes."""
    base = base_of(two_adds(), frozenset())
    layers = [row_layer(view, frozenset(), 1, choose_kernel) for view, _ in base.layers]
    assert all(layers) and Search(base, frozenset()).is_run((0, 2))
    group = group_of([x for x in layers if x is not None])
    assert [t.room for t in group.tensors] == [6, 1, 0, 6] and [t.buffer for t in group.tensors] == [0, 1, 3, 3]
    assert group.moved_bytes == 0 and group_cost(group) > 0
    # The output is the caller's: what is left is a row of `a` and what is known of four tensors.
    assert lower_bound(blocks_of(base, (group,)).spans)[0] == 8 + 16


@pytest.mark.slow
def test_a_thrifty_plan_without_rows_is_taken_where_it_costs_less() -> None:
    """Here by its order alone."""
    graph = compiled("ic", None).plan.graph
    alone = plan_for(graph, M4.features, None).plan.arena_bytes
    assert plan_for(graph, M4.features, alone).more_cycles == 0
    assert plan_for(graph, M4.features, alone - 1).more_cycles > 0


CALLER = """
#include "vww.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned char image[VWW_INPUT_BYTES];
static unsigned next;

static void read_rows(void *context, uint16_t first, uint16_t rows, void *to)
{
    if (context != image || first != next || rows == 0) {
        exit(3);
    }
    next = (unsigned)first + rows;
    memcpy(to, image + first * 288u, rows * 288u);
}

int main(void)
{
    static __attribute__((aligned(16))) unsigned char arena[VWW_ARENA_BYTES];
    unsigned char whole[VWW_OUTPUT_BYTES], rows[VWW_OUTPUT_BYTES];
    for (unsigned i = 0; i < sizeof image; i++) {
        image[i] = (unsigned char)(i * 37u + (i >> 8));
    }
    if (vww_run(arena, image, whole) != EKC_OK || vww_run_rows(arena, read_rows, image, rows) != EKC_OK) {
        return 1;
    }
    return next == 96 && memcmp(whole, rows, sizeof rows) == 0 ? 0 : 2;
}
"""


@pytest.mark.slow
def test_the_input_comes_in_rows(tmp_path: Path) -> None:
    """Each row once, in order; the same bytes as from memory, which equal the definition's."""
    target = replace(target_of(M4), input_rows=True)
    found = compile_packed(packed("vww"), "vww", "vww", target)
    assert found.plan.groups[0].rows.feed and found.plan.arena_bytes < compiled("vww", None).plan.arena_bytes
    write_folder(found.files, tmp_path / "out")
    inputs = np.random.default_rng(1).integers(0, 256, 2 * 27648, dtype=np.uint8).tobytes()
    assert compare(tmp_path / "out", None, inputs).samples == 2
    (tmp_path / "main.c").write_text(CALLER)
    sources = [*sorted((tmp_path / "out" / "src").glob("*.c")), tmp_path / "main.c"]
    flags = [
        "-std=gnu99",
        "-O1",
        "-DEK_DSP_EMULATED",
        "-fsanitize=address,undefined",
        "-I",
        str(tmp_path / "out/include"),
    ]
    program = tmp_path / "program"
    subprocess.run([*host_compiler().command, *flags, *map(str, sources), "-o", str(program)], check=True)
    assert subprocess.run([str(program)]).returncode == 0


def test_only_images_come_in_rows() -> None:
    target = replace(target_of(M4), input_rows=True)
    with pytest.raises(UnsupportedError, match="the input cannot come in rows"):
        compile_packed(packed("ad"), "ad", "ad", target)


def test_target_has_no_limit_by_itself() -> None:
    assert Target("none", frozenset(), None, None).model_ram_bytes is None

"""Layers in parts on threads: the bytes of one thread, under ThreadSanitizer; and nothing of it unless asked for."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from kernel_networks import sampled
from typer.testing import CliRunner

from edgekc.boards.board import load_board
from edgekc.cli.main import app
from edgekc.demo.walk import DATA
from edgekc.emulate import host, reference
from edgekc.emulate.compare import split_inputs
from edgekc.files.output import read_manifest, write_folder
from edgekc.firmware.toolchain import host_compiler
from edgekc.format.pack import pack, read
from edgekc.generate.parts import plan_in_parts
from edgekc.generate.sources import generate
from edgekc.graph.ir import Graph
from edgekc.graph.op import Rows
from edgekc.ops import OPS
from edgekc.pipeline import compile_model, target_of

MODEL = DATA / "digits_int8.tflite"
VECTOR = load_board("linux-aarch64").features
# Threads take the parts as they come; the one that is made last begins first where it can.
POOL = r"""
#include "net.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct { ekc_part *part; void *context; int left; } work;

static void *worker(void *argument)
{
    work *w = argument;
    for (int i; (i = __atomic_sub_fetch(&w->left, 1, __ATOMIC_RELAXED)) >= 0;) {
        w->part(w->context, i);
    }
    return NULL;
}

static void on_threads(void *pool, int parts, ekc_part *part, void *context)
{
    work w = {part, context, parts};
    pthread_t threads[8];
    for (int i = 0; i < *(int *)pool; i++) {
        if (pthread_create(&threads[i], NULL, worker, &w) != 0) {
            abort();
        }
    }
    for (int i = 0; i < *(int *)pool; i++) {
        pthread_join(threads[i], NULL);
    }
}

static _Alignas(64) unsigned char arena[NET_ARENA_BYTES + 64];
static unsigned char input[NET_INPUT_BYTES], output[NET_OUTPUT_BYTES];

int main(void)
{
    int threads = 4;
    while (fread(input, 1, sizeof input, stdin) == sizeof input) {
        if (net_run_parallel(on_threads, &threads, arena, input, output) != EKC_OK) {
            return 1;
        }
        fwrite(output, 1, sizeof output, stdout);
        if (net_run(arena, input, output) != EKC_OK) {
            return 1;
        }
        fwrite(output, 1, sizeof output, stdout);
    }
    return 0;
}
"""


def on_threads(folder: Path, inputs: bytes, work: Path) -> bytes:
    """Outputs of each sample, on four threads and then in turn. Skips where there is no ThreadSanitizer."""
    (work / "main.c").write_text(POOL)
    program = work / "main"
    flags = ["-std=c11", "-D_POSIX_C_SOURCE=200809L", "-O0", "-fsanitize=thread", "-pthread", "-DEK_VEC_EMULATED"]
    sources = [*(folder / "src").glob("*.c"), work / "main.c"]
    command = [*host_compiler().command, *flags, f"-I{folder / 'include'}", *map(str, sources), "-o", str(program)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if "tsan" in done.stderr:
        pytest.skip("ThreadSanitizer is not installed")
    assert done.returncode == 0, done.stderr
    # Some kernels place programs where ThreadSanitizer does not expect them.
    ran = subprocess.run(["setarch", "-R", str(program)], input=inputs, capture_output=True, check=False)
    assert ran.returncode == 0 and not ran.stderr, ran.stderr.decode()[:3000]
    return ran.stdout


def expected(graph: Graph, inputs: bytes) -> bytes:
    """By the definition, each sample twice."""
    size = sum(graph.tensors[name].nbytes for name in graph.inputs)
    found = []
    for at in range(0, len(inputs), size):
        outputs = reference.outputs(graph, split_inputs(graph, inputs[at : at + size], 1))
        found.append(2 * b"".join(np.ascontiguousarray(y).tobytes() for y in outputs))
    return b"".join(found)


@pytest.mark.fast
def test_parts_are_all_rows_and_cost_nothing_unless_asked_for() -> None:
    target = target_of(load_board("linux-aarch64"))
    plain, parts = (compile_model(MODEL, "net", replace(target, threads=n)) for n in (0, 3))
    assert not any(word in plain.files["src/net.c"] for word in (b"parallel", b"part_"))
    assert "include/ekc_parallel.h" not in plain.files and plain.plan.most_parts == 0
    split = [step.parts for step in parts.plan.steps if step.parts is not None]
    assert len(split) >= 5
    for layer in split:
        rows = [y for call in layer.calls for y in range(call.first, call.first + call.count)]
        assert rows == list(range(layer.whole.out.shape[1])) and 2 <= len(layer.calls) <= 3


@pytest.mark.slow
def test_a_network_on_threads(tmp_path: Path) -> None:
    target = replace(target_of(load_board("linux-aarch64")), threads=3)
    parts = compile_model(MODEL, "net", target)
    write_folder(parts.files, tmp_path / "net")
    manifest = read_manifest(tmp_path / "net")
    inputs = host.samples(manifest, 4)
    assert on_threads(tmp_path / "net", inputs, tmp_path) == expected(parts.packed.graph, inputs)
    assert manifest["parts"] == 3


@pytest.mark.slow
@pytest.mark.parametrize("parts", [5])
def test_every_kernel_that_has_parts(parts: int, tmp_path: Path) -> None:
    """Each on some of its operator's cases: windows with padding and strides, odd heights, one row."""
    net = sampled(VECTOR, lambda op, _: op.rows is not Rows.NONE, 3)
    data = pack(net.graph())
    packed = read(data, "net.ekc")
    plan = plan_in_parts(packed.graph, VECTOR, parts, lambda view, _: net.kernels[view.node.name])
    split = {step.kernel.symbol for step in plan.steps if step.parts is not None}
    able = {k.symbol for op in OPS.values() if op.rows is not Rows.NONE for k in op.kernels if k.needs == {"vector"}}
    assert able <= split
    write_folder(generate(plan, packed, data, "net", "linux-aarch64"), tmp_path / "net")
    assert on_threads(tmp_path / "net", net.samples(), tmp_path) == expected(packed.graph, net.samples())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--threads", "1"), "--threads 1; expected 2 to 64"),
        (("--threads", "4", "--ram", "20k"), "--threads does not go with --ram"),
        (("--threads", "4", "--optimise", "size"), "--threads does not go with --optimise size"),
    ],
)
def test_what_does_not_go_together(options: tuple[str, ...], message: str, tmp_path: Path) -> None:
    arguments = ["compile", str(MODEL), "-o", str(tmp_path / "out"), "--board", "linux-aarch64"]
    done = CliRunner().invoke(app, [*arguments, *options])
    assert message in str(done.exception) + done.output

"""The vector kernels in each form that this machine can run, and how their weights are laid out."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import host_kernels as host
import numpy as np
import pytest

from edgekc.assets import runtime_file
from edgekc.fuzzing.compiling import INCLUDE_FLAGS
from edgekc.graph.op import View
from edgekc.ops import OPS
from edgekc.ops.kernels import vector as vec

# Flags of each form, and what /proc/cpuinfo calls the instructions.
FORMS = {
    "c": (("-DEK_VEC_C",), ""),
    "avx2": (("-mavx2",), "avx2"),
    "avx512": (("-mavx512f", "-mavx512bw", "-mavx512vl", "-mavx512vnni"), "avx512_vnni"),
    "native": (("-O3", "-march=native"), ""),
}


def forms_here() -> list[str]:
    """Those whose instructions this machine has."""
    info = Path("/proc/cpuinfo")
    words = info.read_text().split() if info.is_file() else []
    return [form for form, (_, feature) in FORMS.items() if not feature or feature in words]


def test_every_case(tmp_path: Path) -> None:
    """Outputs, guard bytes, inputs and in-place calls of every kernel, compiled with each form's instructions."""
    forms = forms_here()
    libraries = [host.build(tmp_path, ("-O2", *FORMS[form][0]), "_vec", f"{form}.so") for form in forms]
    counts = host.count_calls(libraries, "guarded", "_vec")
    assert len(counts) == len(forms) and len(set(counts)) == 1 and counts[0] > 300
    if absent := FORMS.keys() - set(forms):
        pytest.skip(
            f"this machine has no {', no '.join(sorted(FORMS[form][1] for form in absent))}; the others are right"
        )


def test_a_core_without_vectors_is_refused_at_compile_time(tmp_path: Path) -> None:
    """Neither NEON nor AVX2, and nobody asked for the emulation."""
    source = runtime_file("ek_conv2d_s8_vec.c")
    for command in (["gcc", "-msse2", "-mno-avx2"], ["arm-none-eabi-gcc", "-mcpu=cortex-m4", "-mthumb"]):
        if shutil.which(command[0]) is None:
            continue
        line = [*command, "-std=c99", *INCLUDE_FLAGS, "-c", str(source), "-o", os.devnull]
        done = subprocess.run(line, capture_output=True, text=True)
        assert done.returncode != 0
        assert "needs NEON or AVX2" in done.stderr


def _view(name: str, kind: str) -> View:
    op = OPS[name]
    case = next(c for c in op.cases(np.random.default_rng(5)) if c.name == kind)
    return host.view_of(op, case, 1)


def test_a_record_holds_what_the_header_says() -> None:
    """Bias, 128 times the sum of the weights, multiplier, right shift; then groups of four taps of each filter."""
    view = _view("fully_connected", "odd-random-narrow-double")
    w, bias, multiplier, shift = (t.value for t in view.inputs[1:])
    data = vec.matrix_records(view)
    assert data.nbytes == 256 + 2 * 64  # five filters of seven taps
    words = data[:256].view("<i4").reshape(4, 16)
    assert (words[0, :5] == bias).all()
    assert (words[1, :5] == 128 * w.astype(int).sum(1)).all()
    assert (words[2, :5] == multiplier).all()
    assert (words[3, :5] == -shift).all()
    assert not words[:3, 5:].any()
    taps = data[256:].view(np.int8).reshape(2, 16, 4)
    assert (taps.transpose(1, 0, 2).reshape(16, 8)[:5, :7] == w).all()
    assert not taps[:, 5:].any()
    assert not taps[1, :, 3].any()


@pytest.mark.parametrize("kind", ["bound-0--1", "bound-0-1", "bound-1--1", "bound-1-1"])
def test_the_bound_is_the_last_that_is_accepted(kind: str) -> None:
    """The cases at the bound are run by every form; one more, and doubling could overflow."""
    view = _view("fully_connected", kind)
    assert vec.accepts(view)
    bias = view.inputs[2]
    more = replace(bias, data=bias.value + np.sign(bias.value))
    assert not vec.accepts(replace(view, inputs=(*view.inputs[:2], more, *view.inputs[3:])))


@pytest.mark.parametrize(
    ("kind", "accepted"),
    [("plain-random-narrow-double", True), ("plain-high-narrow-single", True), ("plain-high-double", False)],
)
def test_weights_of_minus_128_are_turned_down(kind: str, accepted: bool) -> None:
    """Two products of -128 and -128 leave the 16 bits in which NEON adds them."""
    assert vec.accepts(_view("fully_connected", kind)) == accepted

"""Kernels that call the smaller files, as `compile --optimise size` links them: the same bytes, and less of them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import kernel_networks as networks
import pytest
from built import address_sanitizer, run_sanitized, shared_library

from edgekc.fuzzing.compiling import SANITIZE, host_flags

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "ops"))

from edgekc.assets import runtime_file
from edgekc.boards.board import load_board
from edgekc.emulate.compare import compare
from edgekc.errors import ToolError
from edgekc.firmware.toolchain import host_compiler
from edgekc.generate.code_size import code_bytes, with_less_code
from edgekc.graph.op import Kernel, Op
from edgekc.ops import OPS

BOARD = "mps2-an386"
EVERY = 6  # of an operator's cases, one in so many
CHECK = """
import numpy, host_kernels as host
from edgekc.ops import OPS
print(sum(len(host.check(OPS[n], case, 0, "_dsp")) for n in {names} for case in
    OPS[n].cases(numpy.random.default_rng(1))[::{every}]))
"""

pytestmark = pytest.mark.slow


def smaller() -> Iterator[tuple[Op, Kernel]]:
    for op in OPS.values():
        for kernel in op.kernels:
            if kernel.needs == {"dsp"} and with_less_code(kernel) != kernel:
                yield op, with_less_code(kernel)


def test_each_takes_less_code() -> None:
    assert len(list(smaller())) > 4
    for op, kernel in smaller():
        usual = next(k for k in op.kernels if k.symbol == kernel.symbol)
        assert code_bytes([kernel]) + 200 < code_bytes([usual])


def test_cases_on_the_core(tmp_path: Path) -> None:
    """Reference, host and device agree, layer by layer."""
    board, net = load_board(BOARD), networks.Network()
    for op, kernel in smaller():
        for i, case in enumerate(list(networks.cases(op))[::EVERY]):
            net.add(f"{op.name}_{i}_{kernel.symbol}", op, case, kernel)
    assert len(net.nodes) > 40
    folder = networks.written(net, board.features, tmp_path / "out")
    try:
        assert compare(folder, board, net.samples()).samples == 1
    except ToolError as error:
        if "install" in str(error):
            pytest.skip(str(error))
        raise


def test_cases_under_sanitizers(tmp_path: Path) -> None:
    """No read or write outside exactly sized buffers and no undefined arithmetic."""
    asan = address_sanitizer()
    names = sorted({op.name for op, _ in smaller()})
    kernels = [with_less_code(k) for name in names for k in OPS[name].kernels if k.symbol.endswith("_dsp")]
    stems = sorted({stem for kernel in kernels for stem in (kernel.symbol, *kernel.sources)})
    library = shared_library(host_compiler(), host_flags(*SANITIZE), [runtime_file(f"{stem}.c") for stem in stems])
    assert int(run_sanitized(asan, [library], ["-c", CHECK.format(names=names, every=EVERY)])) > 50

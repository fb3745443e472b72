"""The C kernels compiled for the host and called through ctypes, with guard bytes around every buffer.

Run as a program it calls kernels on every case; `test_kernels_vs_reference.py` does so under the
address and undefined-behaviour sanitizers. Arguments: `exact`, without guards, or `guarded`; and what the names of the
kernels must end with, if not all are to be called. EK_HOST_LIBRARY may name several libraries: each case is then made
and defined once, and called in each library that has the kernel. It prints how many calls each has answered.
"""

from __future__ import annotations

import ctypes
import functools
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from built import shared_library

from edgekc.assets import runtime_file
from edgekc.firmware.toolchain import host_compiler
from edgekc.fuzzing.compiling import host_flags
from edgekc.graph.bits import index_bits, pack_indices
from edgekc.graph.ir import Array, Node, Quant, Role, Tensor, constant
from edgekc.graph.op import LAID_OUT, Case, Field, Kernel, Op, Param, Struct, View, computed, operand_at
from edgekc.graph.scratch import Regions, offsets, scratch_bytes
from edgekc.ops import OPS

# Features of a core whose instructions have twins in portable C: see `EMULATE` in edgekc/fuzzing/compiling.py.
EMULATED = frozenset({"dsp", "mve", "thumb1", "thumb2", "riscv", "vector"})
GUARD = 64  # bytes before and after each buffer
POISON = 0xA5
CTYPES = {
    "int8_t": ctypes.c_int8,
    "uint8_t": ctypes.c_uint8,
    "int16_t": ctypes.c_int16,
    "uint16_t": ctypes.c_uint16,
    "int32_t": ctypes.c_int32,
    "uint32_t": ctypes.c_uint32,
}

CALLS = Counter[ctypes.CDLL]()  # that each library has answered as the definitions say

libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
libc.malloc.argtypes = (ctypes.c_size_t,)
libc.free.argtypes = (ctypes.c_void_p,)


def runs_here(kernel: Kernel) -> bool:
    """Portable, or for an extension that there is a twin of in C."""
    return kernel.needs <= EMULATED


def host_kernels() -> list[tuple[Op, Kernel]]:
    """Each once, though several features may be enough for one."""
    found = {
        (op.name, kernel.symbol): (op, kernel) for op in OPS.values() for kernel in op.kernels if runs_here(kernel)
    }
    return list(found.values())


def sources(ending: str = "") -> list[Path]:
    """The C files of all kernels that run here, or of those whose names end so."""
    only = os.environ.get("EDGEKC_TEST_OP")  # of pytest --op: the others need not be compiled
    pairs = [(op, kernel) for op, kernel in host_kernels() if only in (None, op.name)]
    kernels = [kernel for _, kernel in pairs if kernel.symbol.endswith(ending)]
    stems = {stem for kernel in kernels for stem in (kernel.symbol, *kernel.sources)}
    return [runtime_file(f"{stem}.c") for stem in sorted(stems)]


def build(folder: Path, flags: Sequence[str] = ("-O2",), ending: str = "", name: str = "libkernels.so") -> Path:
    """One shared library of all kernels that run here, or of those whose names end so, in the folder by that name."""
    return Path(shutil.copy(shared_library(host_compiler(), host_flags(*flags), sources(ending)), folder / name))


@functools.cache
def libraries() -> tuple[ctypes.CDLL, ...]:
    """Those of this process: what EK_HOST_LIBRARY names, or one that is built once."""
    paths = os.environ.get("EK_HOST_LIBRARY") or str(build(Path(tempfile.mkdtemp(prefix="ek_kernels_"))))
    return tuple(map(ctypes.CDLL, paths.split(os.pathsep)))


def count_calls(paths: Sequence[Path], mode: str, ending: str = "") -> list[int]:
    """How many calls each of the libraries answers as the definitions say, in a process of its own.

    AssertionError where one does not.
    """
    environment = {**os.environ, "EK_HOST_LIBRARY": os.pathsep.join(map(str, paths))}
    environment["PYTHONPATH"] = os.pathsep.join(sys.path)
    command = [sys.executable, __file__, mode, ending]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    return counts_of(done.stdout)


def counts_of(printed: str) -> list[int]:
    """The numbers that `main` printed, in the order of the libraries."""
    return [int(line.split()[0]) for line in printed.splitlines()]


@functools.cache
def nested_type(struct: Struct) -> type[ctypes.Structure]:
    fields = []
    for ctype, name in struct.fields:
        if isinstance(ctype, Struct):
            fields.append((name, nested_type(ctype)))
        else:
            fields.append((name, ctypes.c_void_p if "*" in ctype else CTYPES[ctype]))
    return type(struct.name, (ctypes.Structure,), {"_fields_": fields})


@functools.cache
def struct_type(kernel: Kernel) -> type[ctypes.Structure]:
    """Of the layer, without the offsets of scratch."""
    return nested_type(Struct(kernel.struct, kernel.fields))


@functools.cache
def params_type(kernel: Kernel, names: tuple[str, ...]) -> type[ctypes.Structure]:
    """Of what the kernel's first parameter points to; `names`: of the regions of its scratch."""
    layer = struct_type(kernel)
    if len(names) < 2:
        return layer
    scratch = type("scratch", (ctypes.Structure,), {"_fields_": [(name, ctypes.c_uint32) for name in names[1:]]})
    return type(f"{kernel.symbol}_params", (ctypes.Structure,), {"_fields_": [("layer", layer), ("scratch", scratch)]})


def regions_of(kernel: Kernel, view: View) -> Regions:
    return kernel.scratch(view) if kernel.scratch is not None else ()


@dataclass(frozen=True, slots=True)
class Buffer:
    """A block of memory between two guards; guard 0 leaves the watching to the address sanitizer."""

    base: int
    size: int
    guard: int

    @property
    def address(self) -> int:
        return self.base + self.guard

    def bytes(self) -> bytes:
        return ctypes.string_at(self.address, self.size)

    def guards_intact(self) -> bool:
        before, after = ctypes.string_at(self.base, self.guard), ctypes.string_at(self.address + self.size, self.guard)
        return before + after == bytes([POISON]) * (2 * self.guard)

    def fill(self, content: bytes) -> None:
        """Poison, with the content on it."""
        ctypes.memset(self.base, POISON, self.size + 2 * self.guard)
        ctypes.memmove(self.address, content, len(content))


def allocate(size: int, guard: int, content: bytes = b"") -> Buffer:
    buffer = Buffer(libc.malloc(max(size + 2 * guard, 1)), size, guard)
    buffer.fill(content)
    return buffer


def view_of(op: Op, case: Case, activations: int, results: Sequence[Array] | None = None) -> View:
    """The INTEGER view of a case whose first `activations` inputs are computed and whose others are constants.

    Args:
        results: what the reference gives, where that is known already.
    """
    inputs = []
    for i, value in enumerate(case.inputs):
        if i < activations:
            inputs.append(Tensor(f"in{i}", value.shape, value.dtype.name))
        else:
            role = operand_at(op, i).role or Role.WEIGHTS
            inputs.append(constant(f"in{i}", value, role, Quant((1.0,), (0,))))
    results = op.reference(case.attrs, list(case.inputs)) if results is None else results
    outputs = tuple(Tensor(f"out{i}", r.shape, r.dtype.name) for i, r in enumerate(results))
    names = tuple(t.name for t in inputs), tuple(t.name for t in outputs)
    return View(Node(op.name, case.name, *names, case.attrs), tuple(inputs), outputs)


def views(op: Op, case: Case, results: Sequence[Array] | None = None) -> Iterator[View]:
    """Every way in which the case's inputs may be split into activations and constants."""
    for count in computed(op, len(case.inputs)):
        yield view_of(op, case, count, results)


def stored(tensor: Tensor) -> bytes:
    """A constant as it lies in the packed model."""
    if tensor.role is Role.INDEX:
        return pack_indices(tensor.value, index_bits(tensor.value))
    return tensor.value.tobytes()


def fill(
    packed: ctypes.Structure,
    fields: Sequence[Field],
    values: Mapping[str, Param],
    pointers: Mapping[str, int],
    where: str,
) -> None:
    assert set(values) == {name for _, name in fields}, f"{where}: params do not match the fields"
    for ctype, name in fields:
        value = values[name]
        if isinstance(ctype, Struct):
            fill(getattr(packed, name), ctype.fields, value, pointers, f"{where}.{name}")
            continue
        setattr(packed, name, pointers[value] if isinstance(value, str) else value)
        if not isinstance(value, str) and "*" not in ctype:
            assert getattr(packed, name) == value, f"{where}.{name}: {value} does not fit its type"


def pack(kernel: Kernel, view: View, pointers: dict[str, int], regions: Regions) -> ctypes.Structure:
    values = kernel.params(view)
    packed = struct_type(kernel)()
    fill(packed, kernel.fields, values, pointers, kernel.symbol)
    if len(regions) < 2:
        return packed
    params = params_type(kernel, tuple(region.name for region in regions))(layer=packed)
    places = offsets(regions)
    for region in regions[1:]:
        setattr(params.scratch, region.name, places[region.name])
    return params


def call(
    kernel: Kernel,
    view: View,
    inputs: Sequence[Array],
    in_place: int | None,
    guard: int = GUARD,
    regions: Regions | None = None,
) -> bytes:
    """Output bytes of one call; AssertionError where a guard, an input or a constant was written.

    Args:
        regions: of its scratch, where they are known already.
    """
    ((_, answer),) = answers(kernel, view, inputs, in_place, guard, regions)
    return answer


def answers(
    kernel: Kernel,
    view: View,
    inputs: Sequence[Array],
    in_place: int | None,
    guard: int = GUARD,
    regions: Regions | None = None,
) -> list[tuple[ctypes.CDLL, bytes]]:
    """As `call`, by each library that has the kernel; AttributeError where none has it."""
    functions = [(library, getattr(library, kernel.symbol, None)) for library in libraries()]
    functions = [(library, function) for library, function in functions if function is not None]
    if not functions:
        raise AttributeError(f"no library has {kernel.symbol}")
    buffers: list[Buffer] = []
    regions = regions_of(kernel, view) if regions is None else regions

    def buffer(size: int, content: bytes = b"") -> Buffer:
        buffers.append(allocate(size, guard, content))
        return buffers[-1]

    try:
        held = {t.name: stored(t) for t in view.inputs if t.data is not None}
        held |= {name: v.tobytes() for name, v in kernel.rewrites(view).items()} if kernel.rewrites is not None else {}
        constants = {name: buffer(len(content), content) for name, content in held.items()}
        laid_out = b"" if kernel.lays_out is None else kernel.lays_out(view).tobytes()
        constants[LAID_OUT] = buffer(len(laid_out), laid_out)
        params = pack(kernel, view, {name: b.address for name, b in constants.items()}, regions)
        activations = [i for i, t in enumerate(view.inputs) if t.data is None]
        sources = {}
        for i in activations:
            content = inputs[i].tobytes()
            sources[i] = buffer(max(len(content), view.out.nbytes) if i == in_place else len(content), content)
        out = buffer(view.out.nbytes) if in_place is None else sources[in_place]
        written = [(out, b"" if in_place is None else inputs[in_place].tobytes())]
        arguments = [ctypes.byref(params), *(ctypes.c_void_p(sources[i].address) for i in activations)]
        arguments.append(ctypes.c_void_p(out.address))
        if kernel.scratch is not None:
            written.append((buffer(scratch_bytes(regions)), b""))
            arguments.append(ctypes.c_void_p(buffers[-1].address))
        found = []
        for library, function in functions:
            for b, content in written if found else ():
                b.fill(content)
            function.restype = None
            function(*arguments)
            name = f"{kernel.symbol} of {library._name}"
            for b in buffers:
                assert b.guards_intact(), f"{name} wrote outside a buffer"
            for i in activations:
                if i != in_place:
                    assert sources[i].bytes() == inputs[i].tobytes(), f"{name} wrote to input {i}"
            assert constants[LAID_OUT].bytes() == laid_out, f"{name} wrote to its constants"
            for constant_name, content in held.items():
                assert constants[constant_name].bytes() == content, f"{name} wrote to {constant_name}"
            found.append((library, out.bytes()[: view.out.nbytes]))
        return found
    finally:
        for b in buffers:
            libc.free(b.base)


def rooms_of(kernel: Kernel, view: View) -> Iterator[tuple[Kernel, Regions]]:
    """The kernel that accepts the view, and the same with least scratch, where that is less; their scratch."""
    regions = regions_of(kernel, view)
    yield kernel, regions
    if regions and (least := kernel.within(1)).accepts(view) and (fewer := regions_of(least, view)) != regions:
        yield least, fewer


def check(op: Op, case: Case, guard: int = GUARD, ending: str = "") -> list[str]:
    """Compare all kernels that accept a case with the reference, or those of them whose names end so.

    Returns "symbol" or "symbol in place" for each call, by each library.
    """
    results = op.reference(case.attrs, list(case.inputs))
    expected, done = results[0].tobytes(), []
    for view in views(op, case, results):
        for known in op.kernels:
            if not runs_here(known) or not known.symbol.endswith(ending) or not known.accepts(view):
                continue
            for kernel, regions in rooms_of(known, view):
                for place in (None, *kernel.in_place(view)):
                    name = kernel.symbol if place is None else f"{kernel.symbol} in place"
                    for library, answer in answers(kernel, view, case.inputs, place, guard, regions):
                        assert answer == expected, f"{op.name} {case.name} {name}, {library._name}"
                        CALLS[library] += 1
                        done.append(name)
    return done


def all_cases(seed: int = 0, ending: str = "") -> Iterator[tuple[Op, Case]]:
    """Of each operator that has a kernel here whose name ends so: cases of others need not even be defined."""
    for op in OPS.values():
        if any(runs_here(kernel) and kernel.symbol.endswith(ending) for kernel in op.kernels):
            for case in op.cases(np.random.default_rng(seed)):
                yield op, case


def main() -> None:
    mode, ending = sys.argv[1:] or ("exact", "")
    guard = {"exact": 0, "guarded": GUARD}[mode]
    for op, case in all_cases(1, ending):
        check(op, case, guard, ending)
    for library in libraries():
        print(f"{CALLS[library]} calls by {library._name}")


if __name__ == "__main__":
    sys.exit(main())

"""The parameter structs that Python fills against the headers that C reads: names, types, order, offsets."""

from __future__ import annotations

import ctypes
import functools
import re
import subprocess
from pathlib import Path

import host_kernels as host
import numpy as np
import pytest

from edgekc.assets import runtime_file
from edgekc.firmware.toolchain import host_compiler
from edgekc.fuzzing.compiling import INCLUDE_FLAGS
from edgekc.graph.op import Op, Struct, View
from edgekc.graph.scratch import Region, offsets, scratch_bytes
from edgekc.ops import OPS

KERNELS = {kernel.symbol: kernel for op in OPS.values() for kernel in op.kernels}
NESTED = {"ek_loops": "ek_loops.h"}  # a nested struct -> its header, where that is not ek_layer.h
MEMBER = re.compile(r"^(?P<type>(?:const )?\w+(?: \*)?)\s*(?P<names>\w+(?:, \*?\w+)*)$")


def header_fields(header: str, struct: str) -> tuple[tuple[str, str], ...]:
    """(C type, name) of the struct's members, in order, read from the header's text."""
    text = re.sub(r"/\*.*?\*/", "", runtime_file(header).read_text(), flags=re.DOTALL)
    body = re.search(r"typedef struct \{([^}]*)\} " + struct + ";", text)
    assert body, f"{header} does not define {struct}"
    fields = []
    for line in body[1].split(";"):
        if line.strip():
            member = MEMBER.match(" ".join(line.split()))
            assert member, f"{header}: cannot read {line.strip()!r}"
            fields += [(member["type"], name) for name in member["names"].split(", ")]
    return tuple(fields)


@pytest.mark.parametrize("symbol", KERNELS)
def test_fields_are_the_headers(symbol: str) -> None:
    kernel = KERNELS[symbol]
    fields = tuple((ctype.name if isinstance(ctype, Struct) else ctype, name) for ctype, name in kernel.fields)
    assert fields == header_fields(kernel.header, kernel.struct)
    for ctype, _ in kernel.fields:
        if isinstance(ctype, Struct):
            assert ctype.fields == header_fields(NESTED.get(ctype.name, "ek_layer.h"), ctype.name)


def test_the_comparison_sees_order_and_type() -> None:
    kernel = KERNELS["ek_lut_s8"]
    assert kernel.fields == (("const int8_t *", "table"), ("uint32_t", "bytes"))
    fields = header_fields(kernel.header, kernel.struct)
    assert fields == (("const int8_t *", "table"), ("uint32_t", "bytes"))
    assert fields != (("uint32_t", "bytes"), ("const int8_t *", "table"))


@functools.cache
def views_of(op: Op) -> list[View]:
    """Of all its cases, which several kernels share."""
    return [view for case in op.cases(np.random.default_rng(0)) for view in host.views(op, case)]


@functools.cache
def region_names(symbol: str) -> tuple[str, ...]:
    """Of the kernel's scratch, in their order, which must be the same for every layer."""
    found = set()
    for op in OPS.values():
        for kernel in op.kernels:
            if kernel.symbol == symbol and kernel.scratch is not None:
                regions = [kernel.scratch(view) for view in views_of(op) if kernel.accepts(view)]
                assert all(region.holds for view in regions for region in view)
                found |= {tuple(region.name for region in view) for view in regions}
    assert len(found) <= 1, f"{symbol}: the regions of scratch are not always the same: {found}"
    return found.pop() if found else ()


def with_headers(source: str) -> str:
    """The text, and that of the headers that it includes, directly or through each other."""
    found: dict[str, str] = {}
    queue = [source]
    while queue:
        for name in re.findall(r'#include "(ek_\w+\.h)"', queue.pop()):
            if name not in found:
                found[name] = runtime_file(name).read_text()
                queue.append(found[name])
    return "".join(found.values())


@pytest.mark.parametrize("symbol", KERNELS)
def test_offsets_of_scratch_are_the_headers(symbol: str) -> None:
    """The fields of the struct `scratch` are the kernel's regions but the first, and its C uses each by its name."""
    kernel, names = KERNELS[symbol], region_names(symbol)
    header, source = (runtime_file(name).read_text() for name in (kernel.header, f"{symbol}.c"))
    struct = re.search(
        r"typedef struct \{\s+(\w+) layer;\s+struct \{([^}]*)\} scratch;\s+\} " + symbol + "_params;", header
    )
    if len(names) < 2:
        assert struct is None
        assert f"{symbol}(const {kernel.struct} *p," in source
        return
    assert struct and struct[1] == kernel.struct
    assert re.findall(r"\w+", struct[2].replace("uint32_t", "")) == list(names[1:])
    assert f"{symbol}(const {symbol}_params *params," in source
    used = {*re.findall(r"params->scratch\.(\w+)", source)}
    if "&params->scratch" in source:
        used |= {*re.findall(r"\(at\)->(\w+)", with_headers(source))}
    assert set(names[1:]) <= used


def test_regions_follow_each_other_aligned() -> None:
    regions = (Region("a", 5, "bytes", align=1), Region("none", 0, "nothing"), Region("b", 3, "bytes", align=1))
    assert offsets(regions) == {"a": 0, "none": 8, "b": 8}
    assert scratch_bytes(regions) == 11
    assert scratch_bytes(()) == 0
    over = (*regions, Region("later", 8, "words", over="none"), Region("c", 1, "a byte"))
    assert offsets(over) == {"a": 0, "none": 8, "b": 8, "later": 8, "c": 16} and scratch_bytes(over) == 17
    with pytest.raises(ValueError, match="two regions with the name a"):
        offsets((*regions, Region("a", 1, "again")))


@pytest.mark.parametrize("symbol", KERNELS)
def test_every_file_is_named_after_its_function(symbol: str) -> None:
    kernel = KERNELS[symbol]
    for stem in (symbol, *kernel.sources):
        source = runtime_file(f"{stem}.c")
        assert re.search(rf"^\w[\w *]*\b{stem}\(", source.read_text(), re.MULTILINE), f"{source} does not define {stem}"


def test_offsets_and_sizes(tmp_path: Path) -> None:
    """ctypes, which the tests pack with, lays the structs out as the C compiler does."""
    structs = {kernel.struct: kernel for kernel in KERNELS.values()}
    lines = ["#include <stddef.h>", "#include <stdio.h>"]
    lines += [f'#include "{header}"' for header in sorted({k.header for k in structs.values()})]
    lines.append("int main(void) {")
    for struct, kernel in structs.items():
        lines.append(f'printf("{struct} %zu\\n", sizeof({struct}));')
        lines += [f'printf("{struct}.{n} %zu\\n", offsetof({struct}, {n}));' for _, n in kernel.fields]
    with_offsets = [symbol for symbol in KERNELS if len(region_names(symbol)) > 1]
    for symbol in with_offsets:
        lines.append(f'printf("{symbol} %zu %zu\\n", sizeof({symbol}_params), offsetof({symbol}_params, scratch));')
    (tmp_path / "offsets.c").write_text("\n".join([*lines, "return 0; }"]))
    program = str(tmp_path / "offsets")
    subprocess.run(
        [*host_compiler().command, "-std=c99", *INCLUDE_FLAGS, str(tmp_path / "offsets.c"), "-o", program], check=True
    )
    printed = subprocess.run([program], capture_output=True, text=True, check=True).stdout
    expected = []
    for struct, kernel in structs.items():
        ctype = host.struct_type(kernel)
        expected.append(f"{struct} {ctypes.sizeof(ctype)}")
        expected += [f"{struct}.{name} {getattr(ctype, name).offset}" for _, name in kernel.fields]
    for symbol in with_offsets:
        params = host.params_type(KERNELS[symbol], region_names(symbol))
        expected.append(f"{symbol} {ctypes.sizeof(params)} {params.scratch.offset}")
    assert printed.split("\n")[:-1] == expected

"""The parameter structs that Python fills against the headers that C reads: names, types, order, offsets."""

from __future__ import annotations

import ctypes
import re
import shutil
import subprocess
from pathlib import Path

import host_kernels as host
import pytest
from kernel_files import INCLUDE_FLAGS

from edgekc.assets import runtime_file
from edgekc.firmware.toolchain import host_compiler
from edgekc.graph.op import Kernel
from edgekc.ops import OPS

KERNELS = {kernel.symbol: kernel for op in OPS.values() for kernel in op.kernels}
MEMBER = re.compile(r"^(?P<type>(?:const )?\w+(?: \*)?)\s*(?P<names>\w+(?:, \*?\w+)*)$")


def header_fields(kernel: Kernel) -> tuple[tuple[str, str], ...]:
    """(C type, name) of the struct's members, in order, read from the header's text."""
    text = re.sub(r"/\*.*?\*/", "", runtime_file(kernel.header).read_text(), flags=re.DOTALL)
    body = re.search(r"typedef struct \{([^}]*)\} " + kernel.struct + ";", text)
    assert body, f"{kernel.header} does not define {kernel.struct}"
    fields = []
    for line in body[1].split(";"):
        if line.strip():
            member = MEMBER.match(" ".join(line.split()))
            assert member, f"{kernel.header}: cannot read {line.strip()!r}"
            fields += [(member["type"], name) for name in member["names"].split(", ")]
    return tuple(fields)


@pytest.mark.parametrize("symbol", KERNELS)
def test_fields_are_the_headers(symbol: str) -> None:
    assert KERNELS[symbol].fields == header_fields(KERNELS[symbol])


def test_the_comparison_sees_order_and_type() -> None:
    kernel = KERNELS["ek_lut_s8"]
    assert header_fields(kernel) == (("const int8_t *", "table"), ("uint32_t", "bytes"))
    assert header_fields(kernel) != (("uint32_t", "bytes"), ("const int8_t *", "table"))


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
    assert printed.split("\n")[:-1] == expected


@pytest.mark.parametrize("compiler", ["gcc", "clang", "arm-none-eabi-gcc -mcpu=cortex-m0plus -mthumb"])
def test_kernels_compile_without_warnings(compiler: str, tmp_path: Path) -> None:
    """As C99, at the strictest warnings; and they call nothing but each other, memcpy and memset."""
    command = [*compiler.split(), *host.EMULATE]
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    # Vector kernels, emulated, are for machines like this one.
    files = [file for file in host.sources() if "arm" not in compiler or not file.stem.endswith("_vec")]
    objects = []
    for file in files:
        target = tmp_path / f"{file.stem}.o"
        subprocess.run(
            [*command, *host.WARNINGS, "-Os", *INCLUDE_FLAGS, "-c", str(file), "-o", str(target)], check=True
        )
        objects.append(str(target))
    listing = subprocess.run(["nm", "-u", *objects], capture_output=True, text=True, check=True).stdout
    undefined = {line.split()[-1] for line in listing.splitlines() if line.strip().startswith("U ")}
    allowed = {file.stem for file in files} | {"memcpy", "memset"}
    helpers = ("__aeabi_", "__gnu_thumb1_case_")  # the compiler's own, the latter for a switch
    outside = {name for name in undefined - allowed if not name.startswith(helpers)}
    assert not outside, f"calls to {outside}"

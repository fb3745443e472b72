"""Clang 16 at -Os turned a loop of `ek_template_conv2d_s8` into vectors on Cortex-M55 and gave wrong outputs.

A loop constant did not fit the registers. Clang reloaded it under the predicate of the loop's last pass, which clears
lanes, and took it as whole in the next run of the loop. No loop of ours may be compiled so.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from edgekc.assets import RUNTIME_C
from edgekc.fuzzing.compiling import INCLUDE_FLAGS, kernel_sources

# Of the kernels, all that a Cortex-M55 may run and that have a loop in C.
KERNELS = [path for path in kernel_sources() if not path.stem.endswith(("_vec", "_mul2"))]
BUILDS = [("clang-16", "-Os"), ("clang-19", "-O3")]  # the one that did it, and the newest at its boldest
OBJDUMP = "arm-none-eabi-objdump"
RELOAD = re.compile(r"\tvldr\w\.\w+\tq(\d), \[sp")

WRONG = """
00000000 <filters>:
     112:\tdlstp.32\tlr, lr
     122:\tvldrw.u32\tq7, [r1, q5]
     196:\tvmov.f64\td8, d10
     19e:\tvldrw.u32\tq5, [sp, #48]\t@ 0x30
     1a2:\tletp\tlr, 118 <filters+0x118>
"""
RIGHT = """
00000000 <filters>:
     112:\tdlstp.32\tlr, lr
     118:\tvldrw.u32\tq5, [sp, #48]\t@ 0x30
     122:\tvldrw.u32\tq7, [r1, q5]
     1a2:\tletp\tlr, 118 <filters+0x118>
     1b0:\tvldrw.u32\tq5, [sp, #48]\t@ 0x30
"""


def reloads(listing: str) -> list[str]:
    """Lines that load a vector from the stack in a predicated loop, whose rest does not use it: for the next pass."""
    found: list[str] = []
    for function in re.split(r"^[0-9a-f]+ <.*>:$", listing, flags=re.MULTILINE):
        lines = [(int(m[1], 16), m[0]) for m in re.finditer(r"^ *([0-9a-f]+):\t.*$", function, re.MULTILINE)]
        for end, last in lines:
            if jump := re.search(r"\tletp\tlr, (?:0x)?([0-9a-f]+)", last):
                loop = [text for at, text in lines if int(jump[1], 16) <= at < end]
                found += [text for k, text in enumerate(loop) if _is_for_the_next_pass(text, loop[k + 1 :])]
    return found


def _is_for_the_next_pass(line: str, rest: list[str]) -> bool:
    load = RELOAD.search(line)
    if load is None:
        return False
    q = int(load[1])
    return not any(re.search(rf"\b(?:q{q}|d{2 * q}|d{2 * q + 1})\b", text) for text in rest)


def compiled(clang: str, level: str, sources: list[Path], folder: Path) -> str:
    flags = ["--target=thumbv8.1m.main-none-eabihf", "-mcpu=cortex-m55", level, "-std=c99", "-ffreestanding"]
    flags += [*INCLUDE_FLAGS, "-isystem", str(RUNTIME_C / "port" / "freestanding")]
    subprocess.run([clang, *flags, "-c", *map(str, sources)], check=True, cwd=folder)
    objects = sorted(folder.glob("*.o"))
    command = [OBJDUMP, "-d", "-m", "armv8.1-m.main", "--no-show-raw-insn", *map(str, objects)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_the_listing_is_read() -> None:
    assert len(reloads(WRONG)) == 1
    assert reloads(RIGHT) == []


@pytest.mark.skipif(shutil.which(OBJDUMP) is None, reason="binutils for Arm are not installed")
@pytest.mark.parametrize(("clang", "level"), BUILDS)
def test_no_loop_reloads_a_vector_under_its_predicate(tmp_path: Path, clang: str, level: str) -> None:
    if shutil.which(clang) is None:
        pytest.skip(f"{clang} is not installed")
    listing = compiled(clang, level, KERNELS, tmp_path)
    assert listing.count("\tletp\t") > 10
    assert reloads(listing) == []

"""The bytes of code and constants of each kernel's source, compiled for size on a core of its family.

python tests/cross/kernel_bytes.py          prints them beside what edgekc/ops/kernels/code_bytes.py has
python tests/cross/kernel_bytes.py --write  writes that file
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from elftools.elf.constants import SH_FLAGS
from elftools.elf.elffile import ELFFile

from edgekc.boards.board import load_board
from edgekc.errors import ToolError
from edgekc.firmware.toolchain import gcc_compiler
from edgekc.fuzzing.compiling import INCLUDE_FLAGS, kernel_sources
from edgekc.ops.kernels import code_bytes

# By the folder of the source; the core that most of its kernels are for.
BOARDS = {
    "portable": "mps2-an386",
    "dsp": "mps2-an386",
    "mul2": "mps2-an385",
    "mve": "mps3-an547",
    "vec": "linux-aarch64",
}
_TABLE = Path(code_bytes.__file__)


def measured() -> dict[str, int]:
    """Bytes of each source by its stem. ToolError where a compiler is missing."""
    with tempfile.TemporaryDirectory() as folder:
        return {path.stem: _bytes(path, Path(folder) / "kernel.o") for path in kernel_sources()}


def _bytes(source: Path, out: Path) -> int:
    board = load_board(BOARDS[source.parent.name])
    compiler = gcc_compiler(board)
    if compiler is None:
        raise ToolError(f"gcc for {board.core.name} is not installed", fix="sudo apt-get install it")
    flags = ["-Os", "-std=c99", "-ffunction-sections", "-fdata-sections", "-ffreestanding", *INCLUDE_FLAGS]
    subprocess.run([*compiler.command, *flags, "-c", source, "-o", out], check=True)
    with out.open("rb") as file:
        kept = SH_FLAGS.SHF_ALLOC
        sections = [s for s in ELFFile(file).iter_sections() if s["sh_flags"] & kept and s["sh_type"] == "SHT_PROGBITS"]
        return sum(s["sh_size"] for s in sections if not s.name.startswith((".ARM", ".eh_frame")))


def main() -> None:
    found = measured()
    if "--write" in sys.argv:
        head = _TABLE.read_text(encoding="utf-8").partition("CODE_BYTES:")[0]
        lines = "".join(f'    "{stem}": {size},\n' for stem, size in sorted(found.items()))
        _TABLE.write_text(f"{head}CODE_BYTES: dict[str, int] = {{\n{lines}}}\n", encoding="utf-8")
        return
    for stem, size in found.items():
        print(f"{stem} {size}, in the table {code_bytes.CODE_BYTES.get(stem)}")


if __name__ == "__main__":
    main()

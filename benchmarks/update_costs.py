"""What the checks of an update cost a Cortex-M4: bytes, instructions and stack.

    python benchmarks/update_costs.py [--monocypher DIR] [--json]

DIR has monocypher.c of Monocypher 4, whose check stands beside edgekc's own. Instructions are counted by unicorn, one
by one. Needs a checkout, arm-none-eabi-gcc, unicorn and the package cryptography.
"""

from __future__ import annotations

import argparse
import io
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import unicorn
import unicorn.arm_const as arm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from elftools.elf.elffile import ELFFile

ROOT = Path(__file__).resolve().parents[1]
RESULT = Path(__file__).resolve().parent / "results" / "update_costs.json"
FOLDER = ROOT / "runtime_c" / "update"
FLAGS = ("-std=c99", "-Os", "-mcpu=cortex-m4", "-mthumb", "-ffunction-sections", "-fdata-sections")
STACK = 0x20020000
BY_MONOCYPHER = "ed25519_check_by_monocypher"
_CHECK = "result = ek_ed25519_check(signature, key, message, sizeof message) == 0;"
# Text of a program for each: what is called, and the variable that tells whether it was right.
CALLS = {
    "ed25519_check": _CHECK,
    BY_MONOCYPHER: _CHECK,
    "sha256_of_1024_bytes": (
        "static ek_sha256 hash; static uint8_t data[1024]; uint8_t digest[32];"
        "ek_sha256_start(&hash); ek_sha256_add(&hash, data, sizeof data); ek_sha256_end(&hash, digest);"
        "result = digest[0] == 0x5f && digest[31] == 0xef;"
    ),
}
SOURCES = {
    "ed25519_check": ("ed25519", "sha512"),
    BY_MONOCYPHER: ("ed25519_monocypher", "sha512"),
    "sha256_of_1024_bytes": ("sha256",),
}


def _array(name: str, data: bytes) -> str:
    return f"static const uint8_t {name}[] = {{{', '.join(map(str, data))}}};\n"


def _program(call: str) -> str:
    secret, message = Ed25519PrivateKey.from_private_bytes(bytes(range(32))), bytes(range(128))
    arrays = {"signature": secret.sign(message), "key": secret.public_key().public_bytes_raw(), "message": message}
    return (
        '#include "ek_ed25519.h"\n#include "ek_sha256.h"\nvolatile uint32_t result = 9;\n'
        f"{''.join(_array(*item) for item in arrays.items())}"
        '__attribute__((noinline)) void done(void) { for (;;) { __asm volatile("nop"); } }\n'
        f"void _start(void) {{ {call} done(); }}\n"
    )


def _linked(name: str, monocypher: Path | None, folder: Path) -> ELFFile:
    (folder / "main.c").write_text(_program(CALLS[name]))
    sources = [FOLDER / f"ek_{source}.c" for source in SOURCES[name]]
    command = ["arm-none-eabi-gcc", *FLAGS, "-nostartfiles", "-Wl,--gc-sections", f"-I{FOLDER}"]
    if name == BY_MONOCYPHER and monocypher is not None:
        sources.append(monocypher / "monocypher.c")
        command.append(f"-I{monocypher}")
    subprocess.run([*command, *map(str, [folder / "main.c", *sources]), "-o", str(folder / "it.elf")], check=True)
    return ELFFile(io.BytesIO((folder / "it.elf").read_bytes()))


def costs(name: str, monocypher: Path | None) -> Mapping[str, int]:
    """Bytes of the functions and constants that it needs, without those of libc and of the program around it."""
    with tempfile.TemporaryDirectory() as folder:
        elf = _linked(name, monocypher, Path(folder))
    symbols = {s.name: s for s in elf.get_section_by_name(".symtab").iter_symbols()}
    core = unicorn.Uc(unicorn.UC_ARCH_ARM, unicorn.UC_MODE_THUMB | unicorn.UC_MODE_MCLASS)
    core.mem_map(0, 1 << 20)
    core.mem_map(STACK - (1 << 17), 1 << 17)
    for segment in elf.iter_segments():
        if segment["p_type"] == "PT_LOAD":
            core.mem_write(segment["p_paddr"], segment.data())
    core.reg_write(arm.UC_ARM_REG_SP, STACK)
    counted, lowest = [0], [STACK]

    def count(*_: object) -> None:
        counted[0] += 1

    def written(_core: object, _kind: int, address: int, *_: object) -> None:
        if STACK - (1 << 17) <= address < lowest[0]:
            lowest[0] = address

    core.hook_add(unicorn.UC_HOOK_CODE, count)
    core.hook_add(unicorn.UC_HOOK_MEM_WRITE, written)
    core.emu_start(symbols["_start"]["st_value"] | 1, symbols["done"]["st_value"] & ~1)
    right = core.mem_read(symbols["result"]["st_value"], 4)
    if int.from_bytes(right, "little") != 1:
        sys.exit(f"{name}: wrong")
    around = {"_start", "done", "result", "signature", "key", "message", "memcpy", "memset", "memmove", "data", "hash"}
    kinds = ("STT_FUNC", "STT_OBJECT")
    rows = [s for s in symbols.values() if s["st_info"]["type"] in kinds and s.name.split(".")[0] not in around]
    return {"bytes": sum(s["st_size"] for s in rows), "instructions": counted[0], "stack_bytes": STACK - lowest[0]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--monocypher", type=Path, help="a folder with monocypher.c")
    parser.add_argument("--json", action="store_true", help=f"write {RESULT.relative_to(ROOT)}")
    arguments = parser.parse_args()
    names = [name for name in CALLS if name != BY_MONOCYPHER or arguments.monocypher is not None]
    found = {name: costs(name, arguments.monocypher) for name in names}
    print(json.dumps(found, indent=1))
    if arguments.json:
        RESULT.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()

"""Bits of a generated network's constants flipped on this machine: builds and runs flips.c."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from built import compiled
from kernel_files import INCLUDE_FLAGS

from edgekc.assets import runtime_file
from edgekc.boards.board import Board
from edgekc.files.output import read_manifest
from edgekc.firmware.build import Image, Optimise, build_image
from edgekc.firmware.toolchain import host_compiler

DRIVER = Path(__file__).with_name("flips.c")
EMULATED = ("-DEK_DSP_EMULATED", "-DEK_MVE_EMULATED", "-DEK_VEC_EMULATED")
SANITIZERS = ("-fsanitize=undefined,address", "-fsanitize-recover=all", "-fno-omit-frame-pointer", "-g")


def objects_of(folder: Path) -> list[tuple[str, str, str, bool]]:
    """Name, pointer, bytes in C, and whether it is a table, of each constant in the network's own files."""
    manifest = read_manifest(folder)
    name = manifest["name"]
    header = (folder / "include" / f"{name}_data.h").read_text()
    source = (folder / "src" / f"{name}.c").read_text()
    arrays = re.findall(r"extern const uint32_t (\w+)\[\d+\]", header)
    tables = re.findall(r"^static const \w+ (\w+)(?:\[\d*\])? = \{", source, re.MULTILINE)
    # Between copies there may be padding, which nobody reads.
    tables += [f"copies.{table}" for table in manifest.get("check", {"tables": []})["tables"]]
    return [(n, n, f"sizeof {n}", False) for n in arrays] + [(n, f"&{n}", f"sizeof {n}", True) for n in tables]


def build(folder: Path, out: Path, flags: Sequence[str] = ("-O2",), *, check: bool = True) -> Path:
    """The program of flips.c around what `edgekc compile` wrote to `folder`."""
    manifest = read_manifest(folder)
    name, upper = str(manifest["name"]), str(manifest["name"]).upper()
    out.mkdir(exist_ok=True)
    objects = " ".join(f'OBJECT("{n}", {p}, {b}, {int(t)})' for n, p, b, t in objects_of(folder))
    defines = [f"#define OBJECTS {objects}", f"#define RUN {name}_run", f"#define RESET {name}_reset"]
    defines += [f"#define {key} {upper}_{key}_BYTES" for key in ("ARENA", "INPUT", "OUTPUT")]
    defines += [f"#define STATE {manifest.get('state_bytes', 0)}", *([f"#define CHECK {name}_check"] if check else [])]
    (out / "flips_objects.h").write_text("\n".join(defines) + "\n")
    compiler, everywhere = host_compiler(), ["-std=gnu11", *EMULATED, *flags]
    copied = [runtime_file(path.name) for path in sorted((folder / "src").glob("ek_*.c"))]
    # From where they lie, so that what was compiled once is kept for all networks.
    objects_ = compiled(compiler, [*everywhere, *INCLUDE_FLAGS], copied, out / "obj")
    own = ["-DEKC_TRACE", f'-DSOURCE="{folder / "src" / name}.c"', str(DRIVER), str(folder / "src" / f"{name}_data.c")]
    program = out / "flips"
    paths = [f"-I{folder / 'include'}", f"-I{out}"]
    command = [*compiler.command, *everywhere, *paths, *own, *map(str, objects_), "-o", str(program)]
    subprocess.run(command, check=True)
    return program


def calling(folder: Path, board: Board, out: Path, optimise: Optimise = "speed") -> Image:
    """A program for the board whose NAME_run calls NAME_check first; `folder` gets the source for it."""
    name = str(read_manifest(folder)["name"])
    signature = f"ekc_status {name}_run(void *arena, const void *input, void *output)"
    (folder / "src" / f"{name}_calling.c").write_text(
        f'#include "{name}.h"\n#undef {name}_run\n{signature};\n{signature}\n{{\n'
        f"    const ekc_status status = {name}_check();\n"
        f"    return status == EKC_OK ? {name}_network(arena, input, output) : status;\n}}\n"
    )
    return build_image(folder, board, out, extra_flags=[f"-D{name}_run={name}_network"], optimise=optimise)


def flip(program: Path, *arguments: object, timeout_s: float = 600) -> tuple[dict[str, Any], str]:
    """What it counted, and what sanitizers said. AssertionError where it does not end well."""
    command = [str(program), *map(str, arguments)]
    options = "halt_on_error=0:handle_segv=0:handle_sigbus=0:handle_sigfpe=0:detect_leaks=0"
    environment = {"ASAN_OPTIONS": options}
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, env=environment, check=False)
    assert done.returncode == 0, (command, done.returncode, done.stderr[-3000:])
    return json.loads(done.stdout), done.stderr


def findings(stderr: str, kernels: Sequence[str] = ()) -> list[str]:
    """Each place and kind of what sanitizers said, once; a fault by the kernel, of those of the layers."""
    found = re.findall(r"(\S+?:\d+):\d+: runtime error: (.*)", stderr)
    kinds = {f"{Path(place).name}: {re.sub(r'-?(0x)?[0-9a-f]*[0-9][0-9a-f]*', 'N', what)}" for place, what in found}
    kinds |= {f"fault: {kernels[int(i)]}" for i in re.findall(r"fault in layer (\d+)", stderr)}
    kinds |= {f"asan: {line.strip()}" for line in re.findall(r"SUMMARY: AddressSanitizer: (.*)", stderr)}
    return sorted(kinds)

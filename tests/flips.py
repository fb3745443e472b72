"""Bits of a generated network's constants flipped on this machine: builds and runs flips.c."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from built import compiled

from edgekc.assets import runtime_file
from edgekc.boards.board import Board
from edgekc.files.output import read_manifest
from edgekc.firmware.build import Image, Optimise, build_image
from edgekc.firmware.toolchain import host_compiler
from edgekc.fuzzing.compiling import INCLUDE_FLAGS

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


def table(results: dict[str, Any]) -> str:
    """The costs, for docs/trust.md."""
    lines = [
        "",
        "| Cortex-M4 | `--check`, flash | a call of `NAME_check` | `--check-run`, flash | added to each `NAME_run` |",
        "|---|--:|--:|--:|--:|",
    ]
    for name, found in results["networks"].items():
        run, check, each = (found["cost"][key] for key in ("run", "check", "check_run"))
        lines.append(
            f"| {name} | {check['flash_bytes']:,} of {run['flash_bytes']:,} bytes | {check['cycles']:,} cycles, "
            f"{check['cycles'] / run['cycles']:.2f} of a run | {each['flash_bytes']:,} bytes | "
            f"{each['cycles']:,} cycles, {each['cycles'] / run['cycles']:.2%} |"
        )
    return "\n".join([*lines, "", ""])


def unchecked_text(results: dict[str, Any]) -> str:
    """What became of runs that nobody checked, for docs/trust.md."""
    found = results["unchecked"]
    said = f"{len(found['findings'])} places" if found["findings"] else "nothing"
    count, changed, networks = f"{found['flips']:,}", f"{found['changed']:,}", found["networks"]
    lines = (
        f"`python benchmarks/bit_flips.py --runs 100000` flipped {count} random bits of embedded models, one at a",
        "time, and ran each network without a check under UBSan and ASan: the demo's model and random networks of all",
        f"operators, {networks} programs, by the kernels of five cores. {changed} flips changed outputs. Sanitizers",
        f"found {said}, and {found['faults'] or 'no'} runs ended early.",
    )
    return "\n".join(("", *lines, "", ""))


def in_trust(text: str, results: dict[str, Any]) -> str:
    """The text of docs/trust.md with what the results say between its marks."""
    for begin, end, made in (
        ("<!-- cost -->", "<!-- end -->", table(results)),
        ("<!-- unchecked -->", "<!-- end unchecked -->", unchecked_text(results)),
    ):
        before, _, rest = text.partition(begin)
        text = f"{before}{begin}\n{made}{end}{rest.partition(end)[2]}"
    return text

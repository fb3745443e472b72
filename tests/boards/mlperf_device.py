"""A toy network behind MLPerf Tiny's protocol for this machine, and lines that say what a test wants."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

from edgekc.mlperf.benchmarks import BENCHMARKS
from edgekc.mlperf.firmware import TEMPLATE, served
from edgekc.templates import environment

ROOT = Path(__file__).resolve().parents[2]
PORT, INCLUDE = ROOT / "runtime_c" / "port", ROOT / "runtime_c" / "include"

# Output i is the input's level i.
HEADER = """
#ifndef TOY_H
#define TOY_H
#include "ekc_status.h"
#define TOY_ARENA_BYTES 16u
#define TOY_INPUT_BYTES INPUTu
#define TOY_INPUT_SCALE 0.5f
#define TOY_INPUT_ZERO_POINT (89)
#define TOY_OUTPUT_BYTES OUTPUTu
#define TOY_OUTPUT_SCALE 0.00390625f
#define TOY_OUTPUT_ZERO_POINT (-128)
static ekc_status toy_run(void *arena, const void *input, void *output)
{
    (void)arena;
    for (unsigned i = 0; i < TOY_OUTPUT_BYTES; i++) { ((signed char *)output)[i] = ((const signed char *)input)[i]; }
    return EKC_OK;
}
#endif
"""


def sources(folder: Path, name: str = "kws") -> list[Path]:
    """The toy's header and its submitter's side in the folder; the submitter's files."""
    benchmark = BENCHMARKS[name]
    view: dict[str, Any] = {"name": "toy", "upper": "TOY", "bare": False, "clock_hz": 1000, "state": False, "layers": 1}
    text = environment().get_template(TEMPLATE).render(view | dict(served(benchmark).view))
    header = HEADER.replace("INPUTu", f"{benchmark.elements}u").replace("OUTPUTu", f"{benchmark.outputs}u")
    (folder / "toy.h").write_text(header)
    (folder / "submitter_implemented.c").write_text(text)
    return [folder / "submitter_implemented.c", PORT / "ek_mlperf_board.c"]


def toy_device(folder: Path) -> Path:
    """The device's end, for this machine, under sanitizers, on standard input and output."""
    flags = "-std=gnu99 -O1 -g -Wall -Wextra -Werror -fsanitize=address,undefined -fno-sanitize-recover=all".split()
    files = [*sources(folder), *(PORT / f"ek_{name}.c" for name in ("mlperf", "link_stdio", "linux"))]
    command = ["gcc", *flags, f"-I{folder}", f"-I{PORT}", f"-I{INCLUDE}", *map(str, files)]
    subprocess.run([*command, "-o", str(folder / "device")], check=True)
    return folder / "device"


class Scripted:
    """A line whose other end answers each command by what `answers` has for it, else by m-ready alone."""

    def __init__(self, answers: dict[str, str | None], first: str = "") -> None:
        self.answers, self.waiting, self.sent, self.left = answers, first.encode(), "", ""

    def send(self, data: bytes) -> None:
        self.sent += data.decode()
        *commands, self.left = (self.left + data.decode()).split("%")
        for command in commands:
            answer = self.answers.get(command, self.answers.get(command.split()[0], "m-ready\r\n"))
            self.waiting += b"" if answer is None else answer.encode("latin-1")

    def receive(self, timeout_s: float) -> bytes:
        if self.waiting == b"" and self.answers.get("") == "closed":
            raise EOFError("it ended")
        data, self.waiting = self.waiting[:7], self.waiting[7:]
        return data

    def close(self) -> None:
        pass

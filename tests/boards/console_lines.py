"""A toy network behind the device's end of the console, and lines that spoil what goes through them."""

from __future__ import annotations

import random
import subprocess
from pathlib import Path

from edgekc.console import protocol as c

ROOT = Path(__file__).resolve().parents[2]
PORT, INCLUDE = ROOT / "runtime_c" / "port", ROOT / "runtime_c" / "include"

# A network of two layers on 700 bytes, longer than a frame: y = x + 1, then y = 2 x.
MODEL = """
#include "ek_console.h"
#include "ekc_trace.h"
#include <string.h>
#define N 700u
static uint8_t arena[16], input[N], output[N];
static uint32_t crc[2], cycles[2];
static int intact(void) { return 1; }
static ekc_status toy_run(void *a, const void *in, void *out)
{
    (void)a;
    uint8_t *y = out;
    for (uint32_t i = 0; i < N; i++) { y[i] = (uint8_t)(((const uint8_t *)in)[i] + 1u); }
    ekc_trace(0, y, N);
    for (uint32_t i = 0; i < N; i++) { y[i] = (uint8_t)(y[i] * 2u); }
    ekc_trace(1, y, N);
    return EKC_OK;
}
int main(void)
{
    static const ek_console_model model = {
        .name = "toy", .run = toy_run, .arena = arena, .input = input, .output = output, .arena_bytes = sizeof arena,
        .input_bytes = N, .output_bytes = N, .intact = intact, .layers = 2, .layer_crc = crc, .layer_cycles = cycles,
    };
    ek_console_serve(&model);
    return 0;
}
"""


def toy_device(folder: Path) -> Path:
    """The device's end, for this machine, under sanitizers, on standard input and output."""
    (folder / "main.c").write_text(MODEL)
    flags = "-std=gnu99 -O1 -g -DEKC_TRACE -Wall -Wextra -Werror -Wconversion -fsanitize=address,undefined".split()
    sources = [folder / "main.c", *(PORT / f"ek_{name}.c" for name in ("console", "link_stdio", "linux"))]
    subprocess.run(
        ["gcc", *flags, f"-I{PORT}", f"-I{INCLUDE}", *map(str, sources), "-o", str(folder / "device")], check=True
    )
    return folder / "device"


class BadLine:
    """Another line that loses, flips and invents bytes in both directions, at a rate and by a seed."""

    def __init__(self, line: c.Line, rate: float, seed: int) -> None:
        self.line, self.rate, self.random = line, rate, random.Random(seed)

    def spoil(self, data: bytes) -> bytes:
        out = bytearray()
        for byte in data:
            if self.random.random() >= self.rate:
                out.append(byte)
                continue
            kind = self.random.randrange(3)
            if kind == 1:
                out.append(byte ^ 1 << self.random.randrange(8))
            elif kind == 2:
                out += bytes([byte, self.random.randrange(256)])
        return bytes(out)

    def send(self, data: bytes) -> None:
        self.line.send(self.spoil(data))

    def receive(self, timeout_s: float) -> bytes:
        return self.spoil(self.line.receive(timeout_s))

    def close(self) -> None:
        self.line.close()

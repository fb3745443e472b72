"""A folder as `edgekc compile` writes it, by hand: two layers whose sizes and counts the tests know."""

from __future__ import annotations

import json
from pathlib import Path

ARENA_BYTES, INPUT_BYTES, OUTPUT_BYTES = 512, 64, 10
SECTIONS = [
    {"kind": "weights", "offset": 32, "bytes": 320},
    {"kind": "bias", "offset": 352, "bytes": 40},
]
EKC_BYTES = 400
MACS = 320

_HEADER = f"""
#include "ekc_status.h"
#define TINY_ARENA_BYTES {ARENA_BYTES}
#define TINY_INPUT_BYTES {INPUT_BYTES}
#define TINY_OUTPUT_BYTES {OUTPUT_BYTES}
ekc_status tiny_run(void *arena, const void *input, void *output);
"""
_KERNELS_H = f"""
#include <stdint.h>
#include "tiny.h"
extern const uint32_t tiny_ekc[{EKC_BYTES // 4}];
typedef struct {{ int32_t in, out; const int8_t *w; const int32_t *b; }} fc_params;
void ek_fc(const fc_params *p, int8_t *to, const int8_t *from);
void ek_copy(int8_t *to, const int8_t *from, int32_t n);
"""
_NETWORK = """#include "kernels.h"
static const fc_params fc = {32, 10, (const int8_t *)tiny_ekc + 32, (const int32_t *)tiny_ekc + 88};
ekc_status tiny_run(void *arena, const void *input, void *output)
{
    int8_t *a = arena;
    ek_copy(a, input, 64);
    ek_fc(&fc, output, a);
    return EKC_OK;
}
"""
_FC = """#include "kernels.h"
void ek_fc(const fc_params *p, int8_t *to, const int8_t *from)
{
    for (int o = 0; o < p->out; o++) {
        int32_t sum = p->b[o];
        for (int i = 0; i < p->in; i++) sum += p->w[o * p->in + i] * from[i];
        to[o] = (int8_t)((int64_t)sum * 1000003 / (p->in + 1)); /* a 64-bit division: a library's */
    }
}
"""
_COPY = """#include "kernels.h"
#include <string.h>
void ek_copy(int8_t *to, const int8_t *from, int32_t n)
{
    memcpy(to, from, (uint32_t)n);
}
"""
# Reads the byte before the input and counts in a static variable; both are forbidden.
BAD_COPY = """#include "kernels.h"
static volatile int32_t calls;
void ek_copy(int8_t *to, const int8_t *from, int32_t n)
{
    calls++;
    for (int32_t i = 0; i < n; i++) to[i] = (int8_t)(from[i] + from[i - 1]);
}
"""


def write(folder: Path, *, copy: str = _COPY) -> Path:
    words = ", ".join(str((i * 2654435761) % 2**32) + "u" for i in range(EKC_BYTES // 4))
    files = {
        "include/tiny.h": "#ifndef TINY_H\n#define TINY_H\n" + _HEADER + "#endif\n",
        "include/kernels.h": "#ifndef KERNELS_H\n#define KERNELS_H\n" + _KERNELS_H + "#endif\n",
        "src/tiny.c": _NETWORK,
        "src/tiny_data.c": f'#include "kernels.h"\nconst uint32_t tiny_ekc[{EKC_BYTES // 4}] = {{{words}}};\n',
        "src/ek_fc.c": _FC,
        "src/ek_copy.c": copy,
        "manifest.json": json.dumps(
            {
                "name": "tiny",
                "board": "microbit",
                "needs": [],
                "inputs": [],
                "outputs": [],
                "files": {},
                "arena_bytes": ARENA_BYTES,
                "sections": SECTIONS,
                "layers": [
                    _layer(0, "copy", "copy", "ek_copy", 0, 6),
                    _layer(1, "fc", "fully_connected", "ek_fc", MACS, 7),
                ],
            }
        ),
    }
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    return folder


def _layer(index: int, name: str, op: str, kernel: str, macs: int, line: int) -> dict[str, object]:
    what = {"index": index, "name": name, "op": op, "kernel": kernel, "macs": macs}
    return {**what, "output_shape": [1], "output_bytes": 1, "source_lines": [line, line]}

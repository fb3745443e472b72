"""Writes folders of generated C by hand, so that the device tests need no model and no compiler of ours."""

from __future__ import annotations

import json
import struct
from pathlib import Path

SAMPLE_BYTES = 16
OUTPUT_BYTES = 16

# Uses what startup has to have set up: .data, .bss, the FPU, libgcc or compiler-rt, memcpy and memset.
BODY = """
static const int8_t weights[16] = {1, -2, 3, -4, 5, -6, 7, -8, 9, -10, 11, -12, 13, -14, 15, -128};
static volatile int32_t initialised = 7;
static volatile int32_t cleared[4];

EKC_MUST_USE ekc_status tiny_run(void *arena, const void *input, void *output)
{
    int32_t *work = arena;
    const int8_t *in = input;
    int32_t results[4] = {0, 0, 0, 0};
    for (int i = 0; i < 16; i++) {
        work[i] = in[i] * weights[i];
    }
    TRACE(0, work, 64)
    int64_t wide = 1;
    for (int i = 0; i < 16; i++) {
        results[0] += work[i];
        wide = wide * 31 + work[i];
    }
    results[1] = (int32_t)(wide / 1000003);
    results[2] = (int32_t)((float)results[0] * 0.25f);
    results[3] = initialised + cleared[0] + cleared[3];
    memset(output, 0, 16);
    memcpy(output, results, sizeof results);
    TRACE(1, output, 16)
    return EKC_OK;
}
"""

_HEADER = """#ifndef TINY_H
#define TINY_H
#include "ekc_status.h"
#define TINY_ARENA_BYTES {arena}
#define TINY_INPUT_BYTES {input}
#define TINY_OUTPUT_BYTES {output}
ekc_status tiny_run(void *arena, const void *input, void *output);
#endif
"""

_SOURCE = """#include "tiny.h"
#include <stdint.h>
#include <string.h>
#ifdef EKC_TRACE
#include "ekc_trace.h"
#define TRACE(layer, data, bytes) ekc_trace(layer, data, bytes);
#else
#define TRACE(layer, data, bytes)
#endif
"""

_WEIGHTS = (1, -2, 3, -4, 5, -6, 7, -8, 9, -10, 11, -12, 13, -14, 15, -128)


def write_model(folder: Path, body: str = BODY, *, arena: int = 64) -> Path:
    """A folder as `edgekc compile` writes it, whose tiny_run is in `body`."""
    (folder / "include").mkdir(parents=True)
    (folder / "src").mkdir()
    header = _HEADER.format(arena=arena, input=SAMPLE_BYTES, output=OUTPUT_BYTES)
    (folder / "include" / "tiny.h").write_text(header)
    (folder / "src" / "tiny.c").write_text(_SOURCE + body)
    (folder / "manifest.json").write_text(
        json.dumps(
            {
                "name": "tiny",
                "board": "mps2-an386",
                "needs": [],
                "arena_bytes": arena,
                "inputs": [],
                "outputs": [],
                "sections": [],
                "layers": [],
                "files": {},
            }
        )
    )
    return folder


def run_body(statements: str) -> str:
    """A tiny_run that executes these statements and returns EKC_OK."""
    return f"""
EKC_MUST_USE ekc_status tiny_run(void *arena, const void *input, void *output)
{{
    (void)arena;
    (void)input;
    memset(output, 0, 16);
    {statements}
    return EKC_OK;
}}
"""


def expected_layers(sample: bytes) -> list[bytes]:
    """What BODY computes for one sample, layer by layer; the last one is the output."""
    work = [value * weight for value, weight in zip(struct.unpack("<16b", sample), _WEIGHTS, strict=True)]
    wide = 1
    for value in work:
        wide = _wrap64(wide * 31 + value)
    quotient = abs(wide) // 1000003 * (1 if wide >= 0 else -1)
    total = sum(work)
    quarter = int(total * 0.25)  # exact in float, and truncated towards zero as in C
    output = struct.pack("<4i", total, _wrap32(quotient), quarter, 7)
    return [struct.pack("<16i", *work), output]


def _wrap32(value: int) -> int:
    return (value + 2**31) % 2**32 - 2**31


def _wrap64(value: int) -> int:
    return (value + 2**63) % 2**64 - 2**63

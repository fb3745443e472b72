"""Small images with a NAME_run of known cost, built without edgekc, for the tests of the counting plugin."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

# In assembly, so that every executed instruction can be counted by hand:
#   outside of the layers   push, pop                                    2
#   layer 0, line 12        bl, movs, 100 times subs and bne, bx       203
#   layer 1, lines 13-14    mov, bl, sub, str, ldr, add, bx              7
# and the stack: 8 bytes pushed, 64 below them.
HAND_OUTSIDE, HAND_LAYERS, HAND_STACK_BYTES = 2, (203, 7), 72
HAND_LAYER_LINES = ((12, 12), (13, 14))
_HAND = """
    .syntax unified
    .thumb
    .file 1 "tiny.c"
    .cfi_sections .debug_frame
    .text
    .global tiny_run
    .type tiny_run, %function
    .thumb_func
tiny_run:
    .cfi_startproc
    .loc 1 10
    push {r4, lr}
    .cfi_def_cfa_offset 8
    .cfi_offset 4, -8
    .cfi_offset 14, -4
    .loc 1 12
    bl spin
    .loc 1 13
    mov r4, r2
    .loc 1 14
    bl framed
    .loc 1 16
    pop {r4, pc}
    .cfi_endproc
    .size tiny_run, . - tiny_run
    .type spin, %function
    .thumb_func
spin:
    movs r3, #100
1:  subs r3, #1
    bne 1b
    bx lr
    .type framed, %function
    .thumb_func
framed:
    sub sp, #64
    str r0, [sp, #0]
    ldr r0, @LOAD@
    add sp, #64
    bx lr
    .size framed, . - framed
"""

_START = """
__asm__(".text\\n.global start\\n.thumb_func\\nstart:\\n ldr r0, =ek_stack_top\\n mov sp, r0\\n bl main\\n");
extern int tiny_run(void *, const void *, void *);
extern unsigned ek_stack_top[], ek_stack_limit[];
void start(void);
__attribute__((section(".vectors"), used)) void *const vectors[4] = {ek_stack_top, start, start, start};
static unsigned char arena[@ARENA@ + 64] __attribute__((aligned(16), section(".ekc_arena")));
static unsigned char input[256 + 64] __attribute__((aligned(16), section(".ekc_arena")));
static unsigned char output[256 + 64] __attribute__((aligned(16), section(".ekc_arena")));
int main(void) {
    for (int i = 0; i < 3; i++) {
        input[32] = (unsigned char)i;
        tiny_run(arena + 32, input + 32, output + 32);
    }
    register unsigned op __asm__("r0") = 0x18, why __asm__("r1") = 0x20026;
    __asm__ volatile("bkpt 0xab" : : "r"(op), "r"(why));
    return 0;
}
"""

_LINK = """
ENTRY(start)
SECTIONS {
    .text 0 : { KEEP(*(.vectors)) *(.text .text.* .rodata .rodata.*) }
    . = 0x20000000;
    .data : { *(.data .data.*) }
    .bss (NOLOAD) : { *(.bss .bss.*) }
    .ekc_arena (NOLOAD) : ALIGN(16) { *(.ekc_arena) }
    ek_stack_limit = 0x20002000;
    ek_stack_top = 0x20004000;
    /DISCARD/ : { *(.ARM.exidx* .ARM.extab*) }
}
"""

# In C, for oracles that count by themselves. Layers 0 to 2 stand on the lines marked so.
_KERNELS = """
#include <string.h>
__attribute__((noinline)) int ek_fill(unsigned char *to, const unsigned char *from) {
    memcpy(to, from, 200);
    return 0;
}
__attribute__((noinline)) int ek_sum(unsigned char *to, const unsigned char *from) {
    volatile unsigned room[16];
    unsigned sum = 0;
    for (unsigned i = 0; i < 200; i++) { if (from[i] & 1) sum += from[i] * i; room[i & 15] = sum; }
    for (unsigned i = 0; i < 64; i++) to[i] = (unsigned char)(sum >> (i & 7)) + (unsigned char)room[i & 15];
    return to[0] == 77 && to[1] == 78 && to[2] == 91;
}
__attribute__((noinline)) int ek_copy(unsigned char *to, const unsigned char *from) {
    for (unsigned i = 0; i < 64; i++) to[i] = (unsigned char)(from[i] ^ i);
    return 0;
}
"""
_NETWORK = """
int ek_fill(unsigned char *, const unsigned char *);
int ek_sum(unsigned char *, const unsigned char *);
int ek_copy(unsigned char *, const unsigned char *);
int tiny_run(void *arena, const void *input, void *output) {
    unsigned char *a = arena;
    if (ek_fill(a, input) != 0) return 1;
    if (ek_sum(a + 256, a) != 0) return 1;
    return ek_copy(output, a + 256);
}
"""
C_LAYER_LINES = ((7, 7), (8, 8), (9, 9))
C_LAYERS = ("ek_fill", "ek_sum", "ek_copy")

ARENA_BYTES = 512


def build_hand(folder: Path, *, stray: bool = False) -> Path:
    """The hand-counted image for Cortex-M; stray: layer 1 reads a word that belongs to nobody."""
    # r1 is the input of 256 bytes, followed by a guard of 32.
    source = _HAND.replace("@LOAD@", "[r1, #272]" if stray else "[r1, #0]")
    return _link_bare(folder, {"tiny_run.s": source}, ("-mcpu=cortex-m4", "-mthumb"))


def build_c(folder: Path, *flags: str) -> Path:
    """The C image for a bare Cortex-M."""
    return _link_bare(folder, {"tiny.c": _NETWORK, "kernels.c": _KERNELS}, flags)


def build_c_linux(folder: Path, compiler: str, *flags: str) -> Path:
    """The C image as a static Linux program."""
    main = _START.partition("static unsigned char arena")
    body = main[1] + main[2].partition("    register")[0] + "    return 0;\n}\n"
    sources = {
        "tiny.c": _NETWORK,
        "kernels.c": _KERNELS,
        "main.c": "extern int tiny_run(void *, const void *, void *);\n" + body.replace("@ARENA@", str(ARENA_BYTES)),
    }
    return _compile(folder, compiler, sources, ("-static", *flags))


def _link_bare(folder: Path, sources: dict[str, str], flags: tuple[str, ...]) -> Path:
    (folder / "link.ld").write_text(_LINK)
    start = _START.replace("@ARENA@", str(ARENA_BYTES))
    more = ("-nostartfiles", "-Wl,-T," + str(folder / "link.ld"), *flags)
    return _compile(folder, "arm-none-eabi-gcc", {**sources, "start.c": start}, more)


def _compile(folder: Path, compiler: str, sources: dict[str, str], flags: tuple[str, ...]) -> Path:
    if shutil.which(compiler) is None:
        pytest.skip(f"{compiler} is not installed")
    for name, text in sources.items():
        (folder / name).write_text(text)
    image = folder / "image.elf"
    command = [compiler, "-g", "-O2", *flags, *(str(folder / name) for name in sources), "-o", str(image)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return image

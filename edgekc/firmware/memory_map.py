"""A bare board and a program's buffers to its startup code and linker script."""

from __future__ import annotations

from typing import Any

from ..boards.board import Board, Memory
from ..templates import environment

# The stack gets what the first RAM region has left, up to 64 KiB (more would only take time to paint),
# and the linker refuses less than 1 KiB: the harness and a few kernels' frames.
STACK_MIN_BYTES = 1024
STACK_MAX_BYTES = 64 * 1024
# RAM of the harness itself beside the three buffers: guards and variables.
HARNESS_RAM_BYTES = 512


def support_files(board: Board, buffers_bytes: int, stack_bytes: int = STACK_MIN_BYTES) -> dict[str, str]:
    """startup.c and link.ld of a bare board, by name.

    Args:
        buffers_bytes: of arena, input, output and state, for which a region of RAM is chosen.
        stack_bytes: that the linker refuses to go below.
    """
    startup = "startup_riscv.c.j2" if "riscv" in board.features else "startup.c.j2"
    views = {startup: _startup_view(board), "link.ld.j2": _link_view(board, buffers_bytes, stack_bytes)}
    made = {name: environment().get_template(name).render(view) for name, view in views.items()}
    return {"startup.c": made[startup], "link.ld": made["link.ld.j2"]}


def _startup_view(board: Board) -> dict[str, Any]:
    features = board.features
    return {
        "board": board.name,
        "core": board.core.name,
        "fpu": bool(features & {"fpu", "mve"}),
        "mve": "mve" in features,
        "fault_status": "thumb1" not in features,  # ARMv6-M has HardFault only, and no CFSR
        "vector_table_offset": board.vector_table_offset,
        "image_definition": board.boot in ("rp2350", "rp2350-riscv"),
    }


def _link_view(board: Board, buffers_bytes: int, stack_bytes: int) -> dict[str, Any]:
    return {
        "board": board.name,
        "memories": [
            {
                "name": memory.name,
                "access": "rx" if memory.kind == "flash" else "rwx",
                "origin": f"0x{memory.origin:08X}",
                "length": str(memory.size_bytes),
            }
            for memory in board.memories
        ],
        "boot2": board.boot == "rp2040",
        "image_definition": board.boot in ("rp2350", "rp2350-riscv"),
        "riscv": "riscv" in board.features,  # whose compilers have sections for small data
        "flash": board.flash.name,
        "ram": board.ram.name,
        "arena_region": arena_region(board, buffers_bytes).name,
        "stack_min_bytes": stack_bytes,
        "stack_max_bytes": STACK_MAX_BYTES,
    }


def arena_region(board: Board, buffers_bytes: int) -> Memory:
    """Where arena, input and output go: beside the stack if they fit, else the first RAM that holds them."""
    first, *others = (memory for memory in board.memories if memory.kind == "ram")
    needed = buffers_bytes + HARNESS_RAM_BYTES
    if needed + STACK_MIN_BYTES <= first.size_bytes:
        return first
    # None is large enough: the first one, for whose overflow the linker then gives the number.
    return next((memory for memory in others if needed <= memory.size_bytes), first)

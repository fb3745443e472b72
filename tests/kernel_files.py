"""The kernels where they lie: their sources, and the flags by which this machine's compiler builds them for tests."""

from __future__ import annotations

from pathlib import Path

from edgekc.assets import INCLUDES

INCLUDE_FLAGS = tuple(f"-I{folder}" for folder in INCLUDES)
WARNINGS = ("-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror")
EMULATE = ("-DEK_DSP_EMULATED", "-DEK_MVE_EMULATED", "-DEK_VEC_EMULATED")
SANITIZE = ("-O0", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")


def host_flags(*own: str) -> tuple[str, ...]:
    """How a kernel becomes a position-independent object of this machine; equal flags share what they compile."""
    return (*WARNINGS, *EMULATE, *own, *INCLUDE_FLAGS, "-fPIC")


def kernel_sources() -> list[Path]:
    """The C file of each kernel of each family, by name."""
    return sorted((path for folder in INCLUDES for path in folder.glob("*.c")), key=lambda path: path.name)

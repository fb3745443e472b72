"""The kernels where they lie: their sources, and the flags by which a compiler finds their headers there."""

from __future__ import annotations

from pathlib import Path

from edgekc.assets import INCLUDES

INCLUDE_FLAGS = tuple(f"-I{folder}" for folder in INCLUDES)


def kernel_sources() -> list[Path]:
    """The C file of each kernel of each family, by name."""
    return sorted((path for folder in INCLUDES for path in folder.glob("*.c")), key=lambda path: path.name)

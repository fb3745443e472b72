"""Where codegen/, runtime_c/, boards/ and the recipes lie, in a checkout and in an installed wheel."""

from __future__ import annotations

from pathlib import Path

_HERE = Path(__file__).resolve().parent
# The wheel carries the top-level folders as edgekc/_assets/*; a checkout has them beside edgekc/.
_ROOT = _HERE / "_assets" if (_HERE / "_assets").is_dir() else _HERE.parent

CODEGEN = _ROOT / "codegen"
RUNTIME_C = _ROOT / "runtime_c"
BOARDS = _ROOT / "boards"
RECIPES = _ROOT / "recipes" if _ROOT.name == "_assets" else _ROOT / "examples" / "recipes"
DEMO = _HERE / "demo" / "data"  # the demo's model and its test images

# Sources of kernels by instruction set, each with its building blocks; include/ has what a caller needs of them.
FAMILIES = ("portable", "dsp", "mve", "vec", "mul2")
INCLUDES = (RUNTIME_C / "include", *(RUNTIME_C / "kernels" / family for family in FAMILIES))


def runtime_file(name: str) -> Path:
    """The source or header of a kernel by its name alone, which is unique: output folders are flat."""
    return next((path for folder in INCLUDES if (path := folder / name).is_file()), RUNTIME_C / "include" / name)

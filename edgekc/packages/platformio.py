"""A network to a library for PlatformIO."""

from __future__ import annotations

from .arduino import bundled
from .package import Package

PACKAGE = Package(
    "platformio",
    sample="examples/demo/src",
    name_problem=bundled,
)

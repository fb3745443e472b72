"""A network to a CMake project: a target for `add_subdirectory`, and for `find_package` once it is installed."""

from __future__ import annotations

from .package import Package

PACKAGE = Package("cmake")

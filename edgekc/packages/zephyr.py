"""A network to a module for Zephyr."""

from __future__ import annotations

from .package import Package

PACKAGE = Package("zephyr", sample="samples/demo/src")

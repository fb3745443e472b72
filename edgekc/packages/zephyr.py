"""A network to a module for Zephyr."""

from __future__ import annotations

from .package import Package

PACKAGE = Package("zephyr", "a module with Kconfig, and a sample for twister", sample="samples/demo/src")

"""Builders of small networks, by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

NETWORKS: dict[str, Callable[[Any], Any]] = {}


def network(build: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Adds a builder, whose argument is the module `keras`."""
    NETWORKS[build.__name__] = build
    return build

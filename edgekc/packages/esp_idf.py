"""A network to a component for ESP-IDF."""

from __future__ import annotations

from .package import Package


def _name_problem(name: str) -> str:
    # The component registry takes names in lower case, in which two underscores are not in a row.
    if name.lower() != name:
        return "has capital letters, which names of components have not"
    if "__" in name or name.endswith("_"):
        return "has underscores in a row or at its end, which names of components have not"
    return ""


PACKAGE = Package(
    "esp-idf",
    "a component with its manifest and an example project",
    sample="examples/demo/main",
    name_problem=_name_problem,
    extensions=frozenset(),
    board="esp32c3",
    flash_bytes=16 << 20,
    ram_bytes=768 << 10,
    largest="the largest chip of ESP-IDF (16 MiB of flash; ESP32-P4: 768 KiB of internal RAM)",
)

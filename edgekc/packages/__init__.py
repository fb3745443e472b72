"""A compiled network to packages: folders and files as each environment's own tools take them.

`PACKAGES` is the list, one small module a kind; `write.py` makes them.
"""

from __future__ import annotations

from . import android, arduino, cmake, cmsis_pack, esp_idf, platformio, rust, wasm_package, zephyr
from .package import Package

PACKAGES: dict[str, Package] = {
    module.PACKAGE.kind: module.PACKAGE
    for module in (arduino, platformio, zephyr, esp_idf, cmsis_pack, cmake, rust, wasm_package, android)
}

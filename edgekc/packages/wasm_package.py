"""A network to an ES module around one `.wasm`, with its types, for browsers and Node."""

from __future__ import annotations

from .bom import other
from .net import Net
from .package import Files, Package
from .wasm import module


def _more(net: Net, files: Files) -> Files:
    return {f"{net.name}/{net.name}.wasm": module(net)}


PACKAGE = Package(
    "wasm",
    sources="",
    sample="",
    flash_bytes=1 << 30,
    ram_bytes=1 << 30,
    largest="what browsers give a module (1 GiB)",
    others=(other("compiler-rt of Zig", "MIT"),),  # zig links what of it a kernel needs
    more=_more,
)

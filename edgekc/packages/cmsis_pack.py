"""A network to a CMSIS-Pack: the description and the archive, `edgekc.NAME.VERSION.pack`."""

from __future__ import annotations

from .archive import zipped
from .net import Net
from .package import VERSION, Files, Package

_VENDOR = "edgekc"


def _more(net: Net, files: Files) -> Files:
    return {f"{_VENDOR}.{net.name}.{VERSION}.pack": zipped(files)}


PACKAGE = Package(
    "cmsis-pack",
    extensions=frozenset({"dsp", "mve"}),
    more=_more,
)

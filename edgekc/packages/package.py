"""What a kind of package is: where a network's files go in it, and what keeps a network out of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .net import Net

VERSION = "0.1.0"  # of every package of a network; whoever publishes one raises it
Files = Mapping[str, bytes]


def any_name(name: str) -> str:
    """No name that a network may have is one too many."""
    return ""


def nothing_more(net: Net, files: Files) -> Files:
    """The folder is all that there is."""
    return {}


@dataclass(frozen=True, slots=True)
class Package:
    """A kind of package. Its other files are the templates of codegen/packages/KIND, at the same paths.

    Attributes:
        kind: the word of `--package`, and the folder of the templates.
        sources: folder of the C files, below the package's own; empty: it has none of them.
        headers: folder of the headers.
        sample: folder of NAME_sample.h, for an example in C; empty: it has none.
        name_problem: given a network's name: why none can be called so here; empty where one can.
        extensions: of a core, of dsp, mve and vector, that kernels may be made for: devices of the environment have
            them, or the package has what emulates them.
        board: one whose kernels run there.
        flash_bytes: that its largest device has; 0: there is no such bound.
        ram_bytes: likewise, for arena, state, input and output.
        largest: what that device is, and where its figures are from.
        others: components of other projects that are in it or that its build fetches, for its bill of materials.
        more: given the network and the package's files: further files, by their path beside its folder.
    """

    kind: str
    sources: str = "src"
    headers: str = "include"
    sample: str = "example"
    name_problem: Callable[[str], str] = any_name
    extensions: frozenset[str] = frozenset({"dsp", "mve", "vector"})
    board: str = "rpi-pico"
    flash_bytes: int = 0
    ram_bytes: int = 0
    largest: str = ""
    others: tuple[dict[str, Any], ...] = ()
    more: Callable[[Net, Files], Files] = nothing_more

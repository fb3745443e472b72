"""Bytes of code that kernels link, and kernels to do without: those that hardly any of a network's work needs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

from ..graph.op import Kernel, View
from ..ops import OPS
from ..ops.kernels.code_bytes import CODE_BYTES

# A portable kernel takes some ten instructions more for a multiply-accumulate than one for the DSP extension, of
# which a network has one for each: so this costs at most half a per cent.
_LITTLE = 1 / 2500
_WORTH_BYTES = 512
_WITHOUT = frozenset({"thumb2"})  # what cores with the DSP extension have besides
# Files that define the same functions in less code, which take more cycles.
_SMALLER = {
    "ek_center_table_dsp": "ek_center_table_small_dsp",
    "ek_expand_columns_dsp": "ek_expand_columns_small_dsp",
    "ek_expand_outputs_dsp": "ek_expand_outputs_small_dsp",
}


def files_of(kernel: Kernel) -> frozenset[str]:
    """The C files of a kernel, without their suffix."""
    return frozenset({kernel.symbol, *kernel.sources})


def with_less_code(kernel: Kernel) -> Kernel:
    """The same C function, which calls those of smaller files where there are such."""
    return replace(kernel, sources=tuple(_SMALLER.get(file, file) for file in kernel.sources))


def code_bytes(kernels: Iterable[Kernel]) -> int:
    """Of all files of these kernels, once each."""
    files: frozenset[str] = frozenset().union(*map(files_of, kernels))
    return sum(map(CODE_BYTES.__getitem__, files))


def linked_bytes(layers: Sequence[tuple[View, Kernel]]) -> int:
    """Of code, and of the constants that are laid out for kernels."""
    return code_bytes(kernel for _, kernel in layers) + sum(laid_out_bytes(kernel, view) for view, kernel in layers)


def laid_out_bytes(kernel: Kernel, view: View) -> int:
    """Of the constants that a layer has once more, in the kernel's own order."""
    return kernel.lays_out(view).nbytes if kernel.lays_out is not None else 0


def spared(layers: Sequence[tuple[View, Kernel]]) -> dict[str, Kernel]:
    """The kernels by the names of their layers, but others where that saves much code and costs next to nothing.

    All layers of a kernel for the DSP extension are taken together. Other cores with extensions have flash enough, or
    hardly anything to save.
    """
    found = {view.node.name: kernel for view, kernel in layers}
    macs = {view.node.name: OPS[view.node.op].macs(view) for view, _ in layers}
    users: dict[str, list[View]] = defaultdict(list)
    for view, kernel in layers:
        if kernel.needs == {"dsp"}:
            users[kernel.symbol].append(view)
    for views in users.values():
        if 0 < sum(macs[view.node.name] for view in views) <= _LITTLE * sum(macs.values()):
            portable = {view.node.name: _portable(view, found[view.node.name]) for view in views}
            if code_bytes({**found, **portable}.values()) + _WORTH_BYTES <= code_bytes(found.values()):
                found |= portable
    return found


def _portable(view: View, kernel: Kernel) -> Kernel:
    """The layer's smallest kernel without the extension; the one that there is where none takes such a layer."""
    others = [k for k in OPS[view.node.op].kernels if k.needs <= _WITHOUT and k.accepts(view)]
    return min(others, key=lambda k: code_bytes([k]), default=kernel)

"""Constants in the order in which the chosen kernels read them, in the packed model's place: flash holds one copy.

The packed model itself stays as it is. Only the bytes that the C embeds differ, in their order within a constant.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..format.pack import Packed
from .plan import Step


def orders(steps: Sequence[Step]) -> list[dict[str, bytes]]:
    """What each step's kernel reads in an order of its own, by the constant's name."""
    made = (step.kernel.reorders(step.view) if step.kernel.reorders is not None else {} for step in steps)
    return [{name: value.tobytes() for name, value in constants.items()} for constants in made]


def copies(steps: Sequence[Step]) -> list[dict[str, bytes]]:
    """Of `orders`, the constants that another step reads in another order: these must lie beside the packed model."""
    made = orders(steps)
    read: dict[str, set[bytes | None]] = {}  # None: in the format's order
    for step, own in zip(steps, made, strict=True):
        for tensor in step.view.inputs:
            if tensor.data is not None:
                read.setdefault(tensor.name, set()).add(own.get(tensor.name))
    return [{name: data for name, data in own.items() if len(read[name]) > 1} for own in made]


def embedded(steps: Sequence[Step], packed: Packed, data: bytes) -> tuple[bytes, bool]:
    """The packed model's bytes to whole words, constants in the order that their kernels read; whether any is."""
    out = bytearray(data + bytes(-len(data) % 4))
    any_moved = False
    for own, beside in zip(orders(steps), copies(steps), strict=True):
        for name, value in own.items():
            offset, size = packed.offsets[name]
            assert len(value) == size, f"{name}: {len(value)} bytes in the kernel's order, {size} in the format's"
            if name not in beside:
                out[offset : offset + size] = value
                any_moved = True
    return bytes(out), any_moved

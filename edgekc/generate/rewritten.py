"""Constants as the chosen kernels read them, in the packed model's place: flash holds one copy.

The packed model itself stays as it is. Only the bytes that the C embeds differ, within a constant.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..format.pack import Packed
from .plan import Step


def own(steps: Sequence[Step]) -> list[dict[str, bytes]]:
    """What each step's kernel reads in a form of its own, by the constant's name."""
    made = (step.kernel.rewrites(step.view) if step.kernel.rewrites is not None else {} for step in steps)
    return [{name: value.tobytes() for name, value in constants.items()} for constants in made]


def copies(steps: Sequence[Step]) -> list[dict[str, bytes]]:
    """Of `own`, the constants that another step reads in another form: these must lie beside the packed model."""
    made = own(steps)
    read: dict[str, set[bytes | None]] = {}  # None: as the format has it
    for step, constants in zip(steps, made, strict=True):
        for tensor in step.view.inputs:
            if tensor.data is not None:
                read.setdefault(tensor.name, set()).add(constants.get(tensor.name))
    return [{name: data for name, data in constants.items() if len(read[name]) > 1} for constants in made]


def rewritten(steps: Sequence[Step], packed: Packed, data: bytes) -> tuple[bytes, bool]:
    """The packed model's bytes with constants as their kernels read them; whether any is rewritten."""
    out = bytearray(data)
    any_rewritten = False
    for constants, beside in zip(own(steps), copies(steps), strict=True):
        for name, value in constants.items():
            offset, size = packed.offsets[name]
            assert len(value) == size, f"{name}: {len(value)} bytes in the kernel's form, {size} in the format's"
            if name not in beside:
                out[offset : offset + size] = value
                any_rewritten = True
    return bytes(out), any_rewritten

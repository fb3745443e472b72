"""The gates that fail a build which has grown too large."""

from __future__ import annotations

from ..errors import CapacityError, UsageError
from .by_layer import Row
from .emulated import Measurement


def check_budget(m: Measurement, max_flash: int | None, max_ram: int | None) -> None:
    """Raises CapacityError where the model has more flash, or more arena, static data and stack, than it may."""
    over = []
    if max_flash is not None and m.ledger.model_flash_bytes > max_flash:
        largest = _largest(m.by_layer)
        over.append(
            f"flash of the model is {m.ledger.model_flash_bytes:,} bytes, {m.ledger.model_flash_bytes - max_flash:,} "
            f"over the budget of {max_flash:,} (most: {largest})"
        )
    if max_ram is not None:
        used = m.model_ram_bytes
        if used is None:
            raise UsageError("--max-ram: the stack is not known on this board", where=f"board {m.board}")
        if used > max_ram:
            over.append(
                f"RAM of the model is {used:,} bytes, {used - max_ram:,} over the budget of {max_ram:,} "
                f"(arena {m.arena_bytes:,}{f', state {m.state_bytes:,}' * bool(m.state_bytes)})"
            )
    if over:
        raise CapacityError("; ".join(over), where=f"{m.name} on {m.board}")


def _largest(rows: tuple[Row, ...]) -> str:
    layers: dict[str, int] = {}
    for row in rows:
        layers[row.layer] = layers.get(row.layer, 0) + row.size_bytes
    layers.pop("(harness)", None)
    name, size = max(layers.items(), key=lambda item: item[1])
    return f"{name} {size:,}"

"""A plan and a board's sizes to nothing, or to the error that says what is too large and what would help."""

from __future__ import annotations

from dataclasses import dataclass

from ..boards.advice import Shortage, advise
from ..errors import CapacityError
from ..graph.ir import Role
from ..ops import OPS
from .plan import Plan, Step

_OTHER_RAM_BYTES = 1536  # of a board, beside arena, input and output: the least stack, and the test harness
STACK_BYTES = 1024  # that linker scripts insist on


@dataclass(frozen=True, slots=True)
class Target:
    """What the compiler must know of a board: kernels it can run, and room. None: not limited."""

    name: str
    features: frozenset[str]
    flash_bytes: int | None
    ram_bytes: int | None
    model_ram_bytes: int | None = None  # asked by the user: of arena, state and stack
    input_rows: bool = False  # the input comes in rows, and is no buffer
    threads: int = 0  # parts of a layer that may run at the same time; 0: the C knows nothing of threads


def room_for_arena(target: Target, buffers: int, state_bytes: int) -> int | None:
    """Bytes that the arena may take; None: not limited.

    Args:
        buffers: bytes of state, input and output.
    """
    rooms = []
    if target.ram_bytes is not None:
        rooms.append(target.ram_bytes - _OTHER_RAM_BYTES - buffers)
    if target.model_ram_bytes is not None:
        rooms.append(target.model_ram_bytes - STACK_BYTES - state_bytes)
    return min(rooms, default=None)


def model_ram(plan: Plan) -> int:
    """Bytes of arena, state and stack. Input and output are the caller's."""
    return plan.arena_bytes + plan.state_bytes + STACK_BYTES


def _packed_peak(step: Step, plan: Plan) -> bool:
    return step.view.node.name == plan.peak_layer and OPS[step.view.node.op].packs != ""


def check_fit(plan: Plan, ekc_bytes: int, target: Target) -> None:
    """CapacityError where the weights or the arena alone are too large for the board, or more than was asked.

    The linker has the last word; it also sees code and stack.

    Args:
        plan: the smallest, where none fits.
    """
    if target.model_ram_bytes is not None and model_ram(plan) > target.model_ram_bytes:
        raise CapacityError(
            f"arena, {'state, ' * bool(plan.state_bytes)}and {STACK_BYTES} bytes of stack need {model_ram(plan)} bytes "
            f"at the least; the arena of {plan.arena_bytes} bytes peaks in layer {plan.peak_layer}",
            where=f"--ram {target.model_ram_bytes}",
            fix=f"pass --ram {model_ram(plan)} or more, or take a smaller input",
        )
    inputs = 0 if target.input_rows else plan.input_bytes
    need = plan.arena_bytes + inputs + plan.output_bytes + plan.state_bytes
    flash_over = 0 if target.flash_bytes is None else max(ekc_bytes - target.flash_bytes, 0)
    ram_over = 0 if target.ram_bytes is None else max(need - target.ram_bytes, 0)
    if not flash_over and not ram_over:
        return
    constants = {s.view.node.name: [t for t in s.view.inputs if t.data is not None] for s in plan.steps}
    shortage = Shortage(
        flash_over=flash_over,
        ram_over=ram_over,
        flash_needed=ekc_bytes,
        ram_needed=need,
        weight_bytes=sum(t.nbytes for row in constants.values() for t in row if t.role is Role.WEIGHTS),
        layers={name: sum(t.nbytes for t in row) for name, row in constants.items()},
        peak_layer=plan.peak_layer,
        peak_scratch_bytes=sum(s.scratch_bytes for s in plan.steps if _packed_peak(s, plan)),
    )
    over = []
    if flash_over:
        over.append(
            f"the packed model has {ekc_bytes} bytes, {flash_over} more than the flash holds; "
            f"its largest layer is {shortage.largest}"
        )
    if ram_over:
        over.append(
            f"arena, {'state, ' * bool(plan.state_bytes)}input and output need {need} bytes at least, "
            f"{ram_over} more than the RAM holds; "
            f"the arena of {plan.arena_bytes} bytes peaks in layer {plan.peak_layer}"
        )
    raise CapacityError("; and ".join(over), where=f"board {target.name}", fix=advise(shortage, target.name))

"""What each choice of each layer costs on a core, by the planner's estimates: no compiler runs.

The graph is quantised once, roughly: what a layer costs depends on shapes and bits, and hardly on values. Then a choice
is given to all layers that have it, packed, lowered and planned, and each layer's part of the plan is its cost.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from ..boards.board import Board
from ..compression.sizes import WEIGHT_PARTS, layer_sizes
from ..compression.substitute import pack_layers
from ..data import for_graph, subset
from ..format.pack import Packed, pack, read
from ..generate.choice import USUAL_MAC
from ..generate.code_size import files_of, laid_out_bytes
from ..generate.fits import STACK_BYTES
from ..generate.goals import Goal, plan_for
from ..generate.plan import Plan, Step, base_of, blocks_of
from ..generate.within import least_plan
from ..measure.cycles.speed import speed_of
from ..measure.cycles.timing import TIMINGS, Cycles
from ..ops.kernels.code_bytes import CODE_BYTES
from ..pipeline import to_integer
from ..quantize.post_training import post_training
from . import single, space
from .candidate import Candidate, Figures
from .problem import Problem

_SAMPLES = 16  # that set ranges here: those of the packed model come from its recipe
# Linked for each layer: its parameters (52 to 88 bytes on Arm) and its call in the network function (20 to 28).
_CALL_BYTES = 100
# The board's program is built for speed, and the table of code is of -Os. On ResNet-8 that is 12 to 16 % more.
_CODE_SCALE = 1.14
BOUND_BYTES = 1200  # of flash that a plan takes more, about, where it is bound to less RAM: tables of rows, kernels
_PORTABLE_MAC = 10.0  # cycles that a kernel without a count and without extensions takes for a multiply-accumulate
_OUTPUT_BYTE = 12.0  # cycles that a layer without multiply-accumulates takes for a byte of its output
_HELPER_BYTES = 472  # memcpy and memset of newlib
_STEP_TEXT_BYTES = 110  # of a recipe's step, which the packed model states


@dataclass(frozen=True, slots=True)
class Cost:
    """What a layer costs as one choice makes it.

    Attributes:
        weights: bytes of what stands for the weights.
        constants: bytes of those, of bias and requantisation, and of what kernels have laid out once more.
        files: C files of its kernels; what several layers call is linked once.
        cycles: estimated, of one run.
        arena: bytes that are in use while it runs: activations and scratch.
        least_arena: the same without scratch.
    """

    weights: int
    constants: int
    files: tuple[str, ...]
    cycles: float
    arena: int
    least_arena: int


@dataclass(frozen=True, slots=True)
class CostTable:
    """Costs of every layer and choice, and of what is there whatever is chosen.

    Attributes:
        layers: layer -> choice -> cost.
        code: bytes of each C file of kernels, by name.
        fixed_flash: bytes of what does not depend on choices: calls, graph, layers without weights.
        fixed_files: C files of layers without weights.
        fixed_cycles: estimated cycles of layers without weights.
        fixed_ram: bytes of state and stack.
        fixed_arena: bytes of arena that layers without weights need.
        least_ram: bytes of arena, state and stack of the smallest plan of the int8 network, by rows where that helps.
        seconds_per_cycle: at the board's clock, with its flash's wait states; None: not known.
        cycle_scale: what estimated cycles are multiplied with, see `calibrated`.
    """

    layers: Mapping[str, Mapping[str, Cost]]
    code: Mapping[str, int]
    fixed_flash: int
    fixed_files: tuple[str, ...]
    fixed_cycles: float
    fixed_ram: int
    fixed_arena: int
    least_ram: int
    seconds_per_cycle: float | None
    cycle_scale: float = 1.0

    def flash(self, layers: Mapping[str, str]) -> int:
        """Bytes of linked flash with these choices (layer -> choice), about."""
        chosen = self._chosen(layers)
        files = {*self.fixed_files, *(file for cost in chosen for file in cost.files)}
        steps = self.flash_of_steps(len(space.grouped(layers)))
        return self.fixed_flash + steps + sum(c.constants for c in chosen) + sum(self.code[file] for file in files)

    @staticmethod
    def flash_of_steps(count: int) -> int:
        """Bytes of the text that the packed model states of so many steps of its recipe."""
        return _STEP_TEXT_BYTES * count

    def ram(self, layers: Mapping[str, str]) -> int:
        """Bytes of arena, state and stack with these choices, about, where RAM is spent for speed."""
        return self.fixed_ram + max([self.fixed_arena, *(cost.arena for cost in self._chosen(layers))])

    def cycles(self, layers: Mapping[str, str]) -> float:
        """Cycles of one run with these choices, about, where RAM is spent for speed."""
        return self.cycle_scale * (self.fixed_cycles + sum(cost.cycles for cost in self._chosen(layers)))

    def seconds(self, cycles: float) -> float | None:
        """Of so many cycles; None where the board has no clock."""
        return None if self.seconds_per_cycle is None else cycles * self.seconds_per_cycle

    def calibrated(self, candidate: Candidate, figures: Figures) -> CostTable:
        """The table after one candidate was built: its flash and cycles are right, for plans in the same RAM."""
        layers = dict(candidate.layers)
        found = replace(self, fixed_flash=self.fixed_flash + figures.flash - self.flash(layers))
        if figures.cycles is None or not (estimate := self.cycles(layers)):
            return found
        return replace(found, cycle_scale=self.cycle_scale * figures.cycles / estimate)

    def within(self, choices: Mapping[str, tuple[str, ...]]) -> CostTable:
        """The table of these choices alone (layer -> some of its choices)."""
        layers = {name: {choice: self.layers[name][choice] for choice in own} for name, own in choices.items()}
        return replace(self, layers=layers)

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)

    def _chosen(self, layers: Mapping[str, str]) -> list[Cost]:
        return [self.layers[layer][choice] for layer, choice in layers.items()]


def table(problem: Problem, choices: Mapping[str, tuple[str, ...]], *, optimise: Goal = "speed") -> CostTable:
    """The costs of every layer and choice on the problem's board.

    Args:
        choices: layer -> its choices, as `space.choices` gives them.
        optimise: what kernels are chosen for, see `compile`.
    """
    features = problem.board.features
    dense = _planned(problem, {}, optimise)
    known = frozenset(node.name for node in problem.prepared.nodes)
    layers: dict[str, dict[str, Cost]] = {name: {} for name in choices}
    for choice in dict.fromkeys(choice for own in choices.values() for choice in own):
        named = [name for name, own in choices.items() if choice in own]
        found = dense if choice == space.DENSE else _planned(problem, {choice: named}, optimise)
        for name in named:
            layers[name][choice] = _cost(found, name, known)
    weighted = {step.view.node.name for step in dense.plan.steps} & set(choices)
    others = [at for at, step in enumerate(dense.plan.steps) if step.view.node.name not in weighted]
    constants = sum(layers[name][space.DENSE].constants for name in choices)
    state = dense.plan.state_bytes
    files = sorted({file for at in others for file in files_of(dense.plan.steps[at].kernel)})
    called = {file for own in layers.values() for cost in own.values() for file in cost.files}
    return CostTable(
        {name: {choice: layers[name][choice] for choice in own} for name, own in choices.items()},
        {file: round(_CODE_SCALE * CODE_BYTES[file]) for file in sorted({*files, *called})},
        dense.ekc_bytes + _CALL_BYTES * len(dense.plan.steps) + _HELPER_BYTES - constants,
        tuple(files),
        sum(_cycles(dense.plan.steps[at]) for at in others),
        state + STACK_BYTES,
        max((dense.in_use[at] for at in others), default=0),
        state + STACK_BYTES + least_plan(dense.plan.graph, features).arena_bytes,
        _seconds_per_cycle(problem.board),
    )


def _seconds_per_cycle(board: Board) -> float | None:
    timing, many = TIMINGS.get(board.core.name), 1e9
    speed = None if timing is None else speed_of(timing, Cycles(many, many, many), board, None)
    return None if speed is None or speed.milliseconds is None else speed.milliseconds.likely / 1000 / many


@dataclass(frozen=True, slots=True)
class _Planned:
    plan: Plan
    ekc_bytes: int
    bytes_of: Mapping[str, tuple[int, int]]  # layer -> bytes of its weights, and of all its constants
    in_use: tuple[int, ...]  # bytes of arena during each step


def _planned(problem: Problem, chosen: Mapping[str, list[str]], goal: Goal) -> _Planned:
    """The plan of the network with each choice at its layers."""
    graph = problem.prepared
    calibrates = subset(for_graph(problem.parts.train, graph), _SAMPLES, problem.seed)
    # Nearest centers have the same bits as those of second order, and are found at once.
    cheap = [
        {key: value for key, value in step.items() if key not in ("assignment", "scale_rounds")}
        for choice, layers in chosen.items()
        for step in space.steps(choice, layers)
    ]
    model = single.applied(graph, cheap, calibrates).model
    settings = problem.settings.model_copy(
        update={"samples": _SAMPLES, "method": "min-max", "equalise": "off", "bias_correction": False}
    )
    quantized = post_training(model.graph, calibrates, settings)
    ekc = pack(to_integer(pack_layers(model, quantized)[0], problem.origin))
    packed = read(ekc, problem.name)
    found = plan_for(goal, packed.graph, problem.board.features, None).plan
    return _Planned(found, len(ekc), _bytes_of(packed), _in_use(found, problem.board.features))


def _bytes_of(packed: Packed) -> dict[str, tuple[int, int]]:
    sizes = layer_sizes(packed)
    return {
        size.name: (sum(size.parts.get(part, 0) for part in WEIGHT_PARTS), sum(size.parts.values())) for size in sizes
    }


def _in_use(plan: Plan, features: frozenset[str]) -> tuple[int, ...]:
    """Bytes of arena that are in use during each step."""
    if plan.groups:  # layers that run by rows are in use together
        return (plan.arena_bytes,) * len(plan.steps)
    kernels = {step.view.node.name: step.kernel for step in plan.steps}
    base = base_of(plan.graph, features, lambda view, _: kernels[view.node.name])
    spans = blocks_of(base).spans
    return tuple(
        sum(max((s.size for s in block if s.first <= at <= s.last), default=0) for block in spans)
        for at in range(len(plan.steps))
    )


def _cost(found: _Planned, layer: str, known: frozenset[str]) -> Cost:
    """Of one layer, or of the several that a choice made of it: `fc` became `fc_0` and `fc`.

    Args:
        known: names of the network's nodes before.
    """
    names = [step.view.node.name for step in found.plan.steps]
    mine = [at for at, name in enumerate(names) if name == layer or (name not in known and _part(name, layer))]
    steps = [found.plan.steps[at] for at in mine]
    sizes = [found.bytes_of.get(step.view.node.name, (0, 0)) for step in steps]
    laid_out = sum(laid_out_bytes(step.kernel, step.view) for step in steps)
    more = _CALL_BYTES * (len(steps) - 1)
    return Cost(
        sum(weights for weights, _ in sizes),
        sum(constants for _, constants in sizes) + laid_out + more,
        tuple(sorted({file for step in steps for file in files_of(step.kernel)})),
        sum(map(_cycles, steps)),
        max((found.in_use[at] for at in mine), default=0),
        max((found.in_use[at] - found.plan.steps[at].scratch_bytes for at in mine), default=0),
    )


def _part(name: str, layer: str) -> bool:
    stem, _, number = name.rpartition("_")
    return stem == layer and number.isdigit()


def _cycles(step: Step) -> float:
    """Of a step, as its kernel counts it; else about."""
    if step.kernel.counted_cost is not None:
        return step.kernel.counted_cost(step.view)
    if not step.macs:
        return _OUTPUT_BYTE * math.prod(step.view.out.shape)
    return (USUAL_MAC if step.kernel.needs else _PORTABLE_MAC) * step.macs

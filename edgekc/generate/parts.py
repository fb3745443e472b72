"""Layers to parts that may run at the same time: each is a call of the kernel for some rows of the output."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..graph.ir import Graph
from ..graph.op import Kernel, View
from ..graph.scratch import Regions, scratch_bytes
from .choice import Choice
from .plan import Plan, Step, plan, usual_choice
from .row_sources import pointer, sets_of
from .rows import SAME, RowLayer, row_layer

MOST_PARTS = 64
_LINE = 64  # bytes of a cache line, which the scratch of two parts should not share
HEADER = "ekc_parallel.h"


@dataclass(frozen=True, slots=True)
class PartsView:
    """What the template of a network writes of a layer that runs in parts."""

    count: int
    records: tuple[str, ...]
    changes: str  # the declaration of parameters that differ from part to part; empty: none do
    sets: tuple[str, ...]  # statements
    call: str


def plan_in_parts(graph: Graph, features: frozenset[str], parts: int, usual: Choice | None = None) -> Plan:
    """The fastest plan, or that of the choice, layers in at most so many parts.

    Every part has scratch of its own. An output takes the place of an input only where each part's rows are its own
    in both.
    """
    whole = usual or usual_choice(graph, features)

    def choose(view: View, features: frozenset[str]) -> Kernel:
        kernel = whole(view, features)
        layer = split(view, kernel, features, parts)
        return kernel if layer is None else _for_all_parts(kernel, layer)

    found = plan(graph, features, choose)
    steps = (replace(s, parts=split(s.view, whole(s.view, features), features, parts)) for s in found.steps)
    return replace(found, steps=tuple(steps), most_parts=parts)


def split(view: View, kernel: Kernel, features: frozenset[str], parts: int) -> RowLayer | None:
    """None where the layer is one part."""
    if len(view.out.shape) != 4:
        return None
    layer = row_layer(view, features, -(-view.out.shape[1] // parts), lambda view, features: kernel)
    return layer if layer is not None and len(layer.calls) > 1 else None


def part_bytes(layer: RowLayer) -> int:
    """From the scratch of one part to that of the next."""
    return -(-layer.scratch_bytes // _LINE) * _LINE


def _for_all_parts(kernel: Kernel, layer: RowLayer) -> Kernel:
    whole = layer.whole

    def regions(view: View) -> Regions:
        *others, last = layer.regions
        more = part_bytes(layer) * len(layer.calls) - scratch_bytes(layer.regions)
        return (*others, replace(last, bytes=last.bytes + more))

    def in_place(view: View) -> tuple[int, ...]:
        own = layer.window == SAME
        return tuple(i for i in kernel.in_place(view) if own and whole.inputs[i].nbytes == whole.out.nbytes)

    return replace(kernel, scratch=regions if layer.regions else kernel.scratch, in_place=in_place)


def parts_view(step: Step, params: str) -> PartsView | None:
    """None: the layer is one part. `params`: the C name of its parameters."""
    layer = step.parts
    if layer is None:
        return None
    rows = [t.nbytes // t.shape[1] for t in (*(t for t in step.view.inputs if t.data is None), step.view.out)]
    records = []
    for call in layer.calls:
        places = [call.begin * row for row in rows[:-1]]
        above = max(layer.window.pad - call.first * layer.window.stride, 0)
        numbers = (call.first * rows[-1], call.end - call.begin, call.count, above)
        records.append(f"{{{{{places[0]}, {places[-1]}}}, {', '.join(map(str, numbers))}}}")
    several = len(layer.regions) > 1
    arguments = ["&changed" if layer.varies else f"&{params}"]
    arguments += [f"{pointer(at)} + call.in[{i}]" for i, at in enumerate(step.inputs)]
    arguments.append(f"{pointer(step.output)} + call.out")
    if layer.kernel.scratch is not None:
        scratch = f"{pointer(step.scratch)} + part * {part_bytes(layer)}" if step.scratch is not None else "NULL"
        arguments.append(scratch)
    return PartsView(
        len(layer.calls),
        tuple(records),
        f"{layer.kernel.struct_of(layer.regions)} changed = {params};" if layer.varies else "",
        tuple(sets_of(layer, "changed.layer" if several else "changed")) if layer.varies else (),
        f"{layer.kernel.symbol}({', '.join(arguments)});",
    )

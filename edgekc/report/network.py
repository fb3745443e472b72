"""A graph to a picture of its operators, as SVG, or as text for Graphviz.

The layout is the layered one of Sugiyama, Tagawa and Toda, "Methods for visual understanding of hierarchical system
structures", IEEE SMC 11(2), 1981: layers by the longest path, bends where an arrow passes a layer, an order by
barycentres.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from .. import tables
from ..graph.ir import Graph, Node, Role
from ..names import visible
from .chart import Chart
from .drawing import Drawing, colour, fitted

_WIDE, _HIGH, _DOWN, _APART, _BEND = 200.0, 44.0, 30.0, 26.0, 18.0  # pixels
_SWEEPS = 8
_WEIGHTS = frozenset({Role.WEIGHTS, Role.CODEBOOK, Role.INDEX, Role.PAIRS, Role.CENTERS})


@dataclass(frozen=True, slots=True)
class Item:
    """A box or a bend of an arrow, in a layer of the picture.

    Attributes:
        key: its number.
        words: two lines for a box; none for a bend.
        fill: name of a colour.
        hint: all that is known of it.
    """

    key: int
    words: tuple[str, str] | None
    fill: str = "panel"
    hint: str = ""


@dataclass(slots=True)
class _Layout:
    ranks: list[list[Item]]
    links: list[tuple[int, int]]  # from a key to one in the next layer
    x: dict[int, float] = field(default_factory=dict)  # middles


def shape_of(shape: Sequence[int]) -> str:
    """1x8x8x16."""
    return "x".join(map(str, shape))


def details(graph: Graph, node: Node) -> str:
    """An operator in words: what it makes, and the bytes of its constants by kind."""
    out = graph.tensors[node.outputs[0]]
    sizes: dict[str, int] = {}
    for t in graph.of(node.inputs):
        if t.role is not Role.ACTIVATION or t.data is not None:
            sizes[t.role.value] = sizes.get(t.role.value, 0) + t.nbytes
    constants = ", ".join(f"{kind} {size:,}" for kind, size in sizes.items())
    found = f"{node.name}: {node.op} to {out.dtype} {shape_of(out.shape)}"
    return f"{found}; bytes: {constants}" if constants else found


def _fill(graph: Graph, node: Node) -> str:
    """Blue has weights, orange joins activations, green makes one smaller; others have the panel's colour."""
    reads = [t for t in graph.of(node.inputs) if t.data is None]
    if any(t.role in _WEIGHTS for t in graph.of(node.inputs) if t.data is not None):
        return "blue"
    if len(reads) > 1:
        return "orange"
    smaller = bool(reads) and graph.tensors[node.outputs[0]].nbytes < reads[0].nbytes
    return "green" if smaller else "panel"


def _items(graph: Graph) -> tuple[list[Item], list[tuple[int, int]]]:
    """Boxes of inputs, operators and outputs, and which reads which."""
    items: list[Item] = []
    links: list[tuple[int, int]] = []
    maker: dict[str, int] = {}
    for name in graph.sources:
        t = graph.tensors[name]
        items.append(Item(len(items), (name, f"{t.dtype} {shape_of(t.shape)}"), "panel", f"input {name}"))
        maker[name] = items[-1].key
    for node in graph.nodes:
        out = graph.tensors[node.outputs[0]]
        words = (node.name, f"{node.op}  {shape_of(out.shape[1:]) or '1'}")
        items.append(Item(len(items), words, _fill(graph, node), details(graph, node)))
        links += [(maker[name], items[-1].key) for name in dict.fromkeys(node.inputs) if name in maker]
        maker.update(dict.fromkeys(node.outputs, items[-1].key))
    for name in graph.sinks:
        t = graph.tensors[name]
        items.append(Item(len(items), (name, f"{t.dtype} {shape_of(t.shape)}"), "panel", f"output {name}"))
        if name in maker:
            links.append((maker[name], items[-1].key))
    return items, links


def _layout(items: Sequence[Item], links: Sequence[tuple[int, int]]) -> _Layout:
    """Layers with bends, in the order of barycentres. Links go from earlier items to later ones."""
    rank = dict.fromkeys((item.key for item in items), 0)
    for start, end in sorted(links, key=lambda link: link[1]):
        rank[end] = max(rank[end], rank[start] + 1)
    ranks: list[list[Item]] = [[] for _ in range(max(rank.values(), default=0) + 1)]
    for item in items:
        ranks[rank[item.key]].append(item)
    short: list[tuple[int, int]] = []
    fresh = len(items)
    for start, end in links:
        at = start
        for between in range(rank[start] + 1, rank[end]):
            ranks[between].append(Item(fresh, None))
            short.append((at, fresh))
            at, fresh = fresh, fresh + 1
        short.append((at, end))
    found = _Layout(ranks, short)
    _place(found)
    return found


def _place(layout: _Layout) -> None:
    """Middles of all items: near those of their neighbours above and below in turns, none over another."""
    above: dict[int, list[int]] = {}
    below: dict[int, list[int]] = {}
    for start, end in layout.links:
        above.setdefault(end, []).append(start)
        below.setdefault(start, []).append(end)
    for row in layout.ranks:
        _spread(layout, row, {item.key: float(i) for i, item in enumerate(row)})
    for sweep in range(_SWEEPS):
        down = sweep % 2 == 0
        near = above if down else below
        for row in layout.ranks if down else reversed(layout.ranks):
            wish = {
                item.key: sum(layout.x[k] for k in near[item.key]) / len(near[item.key])
                if item.key in near
                else layout.x[item.key]
                for item in row
            }
            row.sort(key=lambda item: wish[item.key])
            _spread(layout, row, wish)


def _spread(layout: _Layout, row: Sequence[Item], wish: Mapping[int, float]) -> None:
    """Middles as near to the wishes as widths allow, from left to right, then the row as a whole to their mean."""
    at = None
    for i, item in enumerate(row):
        gap = 0.0 if i == 0 else (_width(row[i - 1]) + _width(item)) / 2 + _APART
        at = wish[item.key] if at is None else max(wish[item.key], at + gap)
        layout.x[item.key] = at
    if row:
        off = sum(wish[item.key] - layout.x[item.key] for item in row) / len(row)
        for item in row:
            layout.x[item.key] += off


def _width(item: Item) -> float:
    return _BEND if item.words is None else _WIDE


def draw(graph: Graph) -> str:
    """The network as an SVG."""
    layout = _layout(*_items(graph))
    every = [item for row in layout.ranks for item in row]
    left = min(layout.x[item.key] - _width(item) / 2 for item in every) - 12
    right = max(layout.x[item.key] + _width(item) / 2 for item in every) + 12
    level = {item.key: i for i, row in enumerate(layout.ranks) for item in row}
    bends = {item.key for item in every if item.words is None}
    step = _HIGH + _DOWN
    drawing = Drawing(right - left, len(layout.ranks) * step - _DOWN + 24, f"Network {graph.name}, {graph.stage.value}")
    drawing.rect(0, 0, drawing.width, drawing.height, "ground")
    for start, end in layout.links:
        x1, x2 = layout.x[start] - left, layout.x[end] - left
        y1 = 12 + level[start] * step + (_HIGH / 2 if start in bends else _HIGH)
        y2 = 12 + level[end] * step + (_HIGH / 2 if end in bends else 0)
        middle = (y1 + y2) / 2
        drawing.raw(
            f'<path d="M{x1:.1f} {y1:.1f} C{x1:.1f} {middle:.1f} {x2:.1f} {middle:.1f} {x2:.1f} {y2:.1f}" '
            f'fill="none" stroke="{colour("grey")}" stroke-width="1.5"/>'
        )
    for item in every:
        if item.words is None:
            continue
        x, y = layout.x[item.key] - left - _WIDE / 2, 12 + level[item.key] * step
        drawing.rect(x, y, _WIDE, _HIGH, "panel", item.hint, stroke="rule", radius=6)
        if item.fill != "panel":
            drawing.rect(x, y, 5, _HIGH, item.fill, radius=2)
        drawing.text(x + 14, y + 18, fitted(item.words[0], _WIDE - 22, bold=True), bold=True)
        drawing.text(x + 14, y + 34, fitted(item.words[1], _WIDE - 22, 11), size=11, fill="quiet")
    return drawing.svg()


def network_chart(graph: Graph) -> Chart:
    """The picture in a report, with a table of what each operator reads."""
    sheet = tables.Sheet("", "layer", "operator", "reads", "shape")
    for node in graph.nodes:
        reads = ", ".join(t.name for t in graph.of(node.inputs) if t.data is None)
        sheet.add(node.name, node.op, reads, shape_of(graph.tensors[node.outputs[0]].shape))
    lead = (
        f"The {len(graph.nodes)} operators of the packed model. Blue ones have weights, orange ones join tensors, "
        "green ones make a tensor smaller."
    )
    return Chart("network", "Network", lead, (draw(graph),), (sheet,))


def dot(graph: Graph) -> str:
    """The network as text that Graphviz reads."""
    lines = [f"digraph {_quoted(graph.name)} {{", "  node [shape=box, fontname=Helvetica, fontsize=11];"]
    items, links = _items(graph)
    for item in items:
        first, second = item.words or ("", "")
        lines.append(f"  n{item.key} [label={_quoted(first, second)}, tooltip={_quoted(item.hint)}];")
    lines += [f"  n{start} -> n{end};" for start, end in links]
    return "\n".join([*lines, "}"]) + "\n"


def _quoted(*lines: str) -> str:
    """A string of Graphviz, whose lines end in \\n."""
    escaped = [visible(line).replace("\\", "\\\\").replace('"', '\\"') for line in lines]
    return '"' + "\\n".join(escaped) + '"'

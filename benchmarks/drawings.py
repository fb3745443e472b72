"""Draws docs/how_*.svg, the pictures of docs/how.md, from a packed model and a plan that the project has.

    python benchmarks/drawings.py

Packing and the kernel show numbers of examples/models/resnet8_cifar10.ekc. Rows show the plan of the demo's digits in
little RAM. tests/unit/test_drawings.py compares the pictures with what this draws.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path

import numpy as np
from peer_chart import INK, OURS, PEER, QUIET, text

from edgekc.boards.board import load_board
from edgekc.format.pack import read
from edgekc.generate.row_groups import RowGroup, schedule
from edgekc.generate.within import fastest_plan, plan_for
from edgekc.graph.ir import Array, Graph
from edgekc.ops.packed import clustered, template
from edgekc.pipeline import integer_graph

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
MODEL = ROOT / "examples" / "models" / "resnet8_cifar10.ekc"
DIGITS = ROOT / "edgekc" / "demo" / "data" / "digits_int8.tflite"
BOARD = "mps2-an386"
ROWS_RAM_BYTES = 1376  # of the arena that the digits are planned for; one layer by itself needs more
CLUSTERED, TEMPLATES = "c_1", "c_4"  # layers of the packed model

WIDTH = 840
PALE, AMBER = "#f0fdfa", "#d97706"
CELL = 30
MINUS, TIMES, DASH = "\N{MINUS SIGN}", "\N{MULTIPLICATION SIGN}", "\N{EN DASH}"


def picture(title: str, height: int, parts: Iterable[str]) -> str:
    """An SVG on white, as wide as the other pictures."""
    return (
        "\n".join(
            [
                f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" '
                f'height="{height}" role="img" '
                'font-family="system-ui, -apple-system, Segoe UI, Helvetica, Arial, sans-serif">',
                f"<title>{title}</title>",
                f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
                *parts,
                "</svg>",
            ]
        )
        + "\n"
    )


def middle(x: float, y: float, words: str, size: int = 11, fill: str = INK) -> str:
    return f'<text x="{x:g}" y="{y:g}" font-size="{size}" fill="{fill}" text-anchor="middle">{words}</text>'


def box(x: float, y: float, width: float, height: float, fill: str = PALE, line: str = OURS) -> str:
    return (
        f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="3" fill="{fill}" stroke="{line}" '
        'stroke-width="1"/>'
    )


def card(x: float, y: float, width: float, title: str, lines: Sequence[str], fill: str = PALE) -> list[str]:
    """A box with a title and lines of small text; 34 + 16 for each line high."""
    drawn = [box(x, y, width, 34 + 16 * len(lines), fill), text(x + 10, y + 20, title, bold=True)]
    return drawn + [text(x + 10, y + 40 + 16 * i, line, size=12, fill=QUIET) for i, line in enumerate(lines)]


def arrow(x: float, y: float, to_x: float, to_y: float, line: str = QUIET) -> str:
    """Level or upright, with its head at the end."""
    dx, dy = np.sign(to_x - x) * 7, np.sign(to_y - y) * 7
    head = (
        f"{to_x:g},{to_y:g} {to_x - dx - dy / 2:g},{to_y - dy - dx / 2:g} {to_x - dx + dy / 2:g},{to_y - dy + dx / 2:g}"
    )
    return (
        f'<line x1="{x:g}" y1="{y:g}" x2="{to_x - dx:g}" y2="{to_y - dy:g}" stroke="{line}" stroke-width="1.5"/>'
        f'<polygon points="{head}" fill="{line}"/>'
    )


def shade(value: float, most: float) -> str:
    """Teal above zero, amber below, paler towards zero."""
    share = min(abs(value) / most, 1.0) if most else 0.0
    full = (15, 118, 110) if value >= 0 else (217, 119, 6)
    return "#" + "".join(f"{round(255 - (255 - c) * 0.85 * share):02x}" for c in full)


def grid(x: float, y: float, values: Array, colours: Array, width: int = CELL, height: int = CELL) -> list[str]:
    """A matrix of numbers in cells of width by height; `colours` of the same shape shade them."""
    most, drawn = float(np.abs(colours).max()), []
    for (r, c), value in np.ndenumerate(values):
        colour = float(colours[r, c])
        ink = "#ffffff" if abs(colour) > 0.6 * most else INK
        drawn.append(box(x + c * width, y + r * height, width, height, shade(colour, most), "#ffffff"))
        drawn.append(
            middle(
                x + (c + 0.5) * width,
                y + (r + 0.5) * height + 4,
                number(value),
                10 if len(number(value)) < 5 else 9,
                ink,
            )
        )
    return drawn


def number(value: int) -> str:
    return f"{int(value)}".replace("-", MINUS)


# ---- packing ----


@cache
def packed() -> Graph:
    return read(MODEL.read_bytes(), str(MODEL)).graph


def constants(layer: str) -> dict[str, Array]:
    """Constants of a layer by the last part of their names."""
    graph = packed()
    found = {}
    for name in next(n for n in graph.nodes if n.name == layer).inputs:
        data = graph.tensors[name].data
        if data is not None:
            found[name.rpartition("/")[2]] = np.asarray(data)
    return found


def index_bits(count: int) -> int:
    return max(1, (count - 1).bit_length())


def packing() -> str:
    """Clusters on the left, a template with its pair on the right, with the layers' bytes below."""
    parts = [
        text(16, 30, "Clusters", size=15, bold=True),
        text(16, 50, f"layer {CLUSTERED} of ResNet-8: each weight is an index into a few centers", size=12, fill=QUIET),
        text(436, 30, "Templates", size=15, bold=True),
        text(436, 50, f"layer {TEMPLATES}: each 3x3 kernel is a template, scaled and moved", size=12, fill=QUIET),
        f'<line x1="422" y1="20" x2="422" y2="340" stroke="{PEER}" stroke-width="1"/>',
    ]
    return picture("How weights are packed: clusters and templates", 354, parts + _clusters() + _templates())


def _clusters() -> list[str]:
    layer = constants(CLUSTERED)
    indices, centers = layer["indices"], layer["centers"][0]
    drawn = [text(16, 82, f"{len(centers)} centers, int16", size=12, bold=True)]
    half = len(centers) // 2
    both = centers.reshape(2, half)
    drawn += grid(16, 90, both, both, 46, 42)
    drawn.append(text(16, 206, "indices of two kernels", size=12, bold=True))
    drawn.append(text(222, 206, "the weights that they mean", size=12, bold=True))
    for k in (0, 1):
        chosen = indices[0, :, :, k]
        weights = clustered.expand(indices[:1], layer["centers"])[0, :, :, k]
        drawn += grid(16 + 96 * k, 214, chosen, weights)
        drawn += grid(222 + 96 * k, 214, weights, weights)
    bits, count = index_bits(len(centers)), indices.size
    size = -(-count * bits // 8) + 2 * len(centers)
    drawn.append(
        text(16, 330, f"{count:,} weights: {count:,} bytes as int8, {size:,} packed ({bits} bits an index)", size=12)
    )
    return drawn


def _templates() -> list[str]:
    layer, graph = constants(TEMPLATES), packed()
    ones = int(dict(next(n for n in graph.nodes if n.name == TEMPLATES).attrs)["ones"])
    indices, templates, pairs = layer["indices"], layer["templates"], layer["pairs"]
    o, i = 0, 0
    t = templates[indices[o, i]]
    pair = pairs[layer["pair_indices"][o, i]]
    a, b = int(pair[0]), int(pair[1])
    weights = template.expand(ones, templates, indices[:1, :1], pair[None, None])[0, :, :, 0]
    y = 130
    drawn = [
        text(436, 82, f"kernel of filter {o}, channel {i}", size=12, bold=True),
        middle(436 + 1.5 * CELL, y - 10, f"template {indices[o, i]}", 11, QUIET),
        *grid(436, y, t, t),
        middle(554, y + 50, f"{TIMES} {number(a)}", 14),
        middle(618, y + 50, f"{'+' if b >= 0 else MINUS} {abs(b)} {TIMES} {ones}", 14),
        middle(670, y + 50, "=", 16),
        middle(688 + 1.5 * 44, y - 10, "the weights that it means", 11, QUIET),
        *grid(688, y, weights, weights, 44),
        text(436, 250, f"a = {number(a)}, b = {number(b)}: pair {layer['pair_indices'][o, i]} of {len(pairs)}", size=12,
             fill=QUIET),
        text(436, 268, f"{len(templates)} templates; ones = {ones}, a constant of the layer", size=12, fill=QUIET),
    ]  # fmt: skip
    kernels, taps = indices.size, t.size
    bits, pair_bits = index_bits(len(templates)), index_bits(len(pairs))
    size = templates.size + -(-kernels * bits // 8) + 4 * len(pairs) + -(-kernels * pair_bits // 8)
    dense = kernels * taps
    return [
        *drawn,
        text(436, 312, f"{kernels:,} kernels of {taps}: {dense:,} bytes as int8, {size:,} packed", size=12),
        text(436, 330, f"({bits} bits for the template, {pair_bits} for the pair)", size=12),
    ]


# ---- a kernel ----


def kernel() -> str:
    """Where the numbers of a clustered convolution are, from flash to the output."""
    layer = constants(CLUSTERED)
    bits = index_bits(layer["centers"].size)
    stream = "".join(f"{int(v):0{bits}b} " for v in layer["indices"][0].ravel()[:4])
    few = ", ".join(number(c) for c in layer["centers"][0][:3])
    parts = [
        text(16, 30, "Packed weights on a core with the DSP extension, by the kernel that expands", size=15, bold=True),
        *card(16, 56, 224, "Flash", [f"indices {stream}...", f"centers {few}, ..."], "#ffffff"),
        *card(308, 56, 224, "Registers", ["an index is cut from the stream,", "its center is read"]),
        *card(600, 56, 224, "Scratch in RAM", ["two filters as int16;", "never more than two"]),
        arrow(240, 89, 308, 89), arrow(532, 89, 600, 89),
        *card(16, 190, 224, "Arena in RAM", ["pixels, int8; windows of up to", "36 KB as pairs of int16"], "#ffffff"),
        *card(308, 190, 224, "Products", ["two of 16 bits an instruction;", "both filters share each pixel"]),
        *card(600, 190, 224, "Sums", ["int32; that they cannot overflow", "is proved at compile time"]),
        arrow(240, 223, 308, 223), arrow(532, 223, 600, 223),
        f'<polyline points="712,122 712,156 420,156 420,183" fill="none" stroke="{QUIET}" stroke-width="1.5"/>',
        arrow(420, 176, 420, 190),
        *card(600, 300, 224, "Output", ["multiplier and shift, then int8,", "the bytes of the definition"], "#ffffff"),
        arrow(712, 256, 712, 300),
        text(16, 322, "A filter is decoded once for all windows that are held.", size=12),
        text(16, 340, "Dense weights exist nowhere as a whole, neither in flash nor in RAM.", size=12),
    ]  # fmt: skip
    return picture("A kernel on packed weights: where the numbers are", 384, parts)


# ---- rows ----


@cache
def digits() -> tuple[RowGroup, int, int]:
    """The layers of the demo's digits that run by rows; bytes of that arena and of the fastest plan's."""
    graph = integer_graph(DIGITS.read_bytes(), "digits", DIGITS, "tflite", lambda *_: None)
    features = load_board(BOARD).features
    fastest = fastest_plan(graph, features)
    plan = plan_for(graph, features, ROWS_RAM_BYTES, fastest).plan
    return plan.groups[0].rows, plan.arena_bytes, fastest.arena_bytes


def rows() -> str:
    """Calls from left to right; which rows of the tensor between two layers are in its buffer during each."""
    group, arena, fastest = digits()
    first, second = group.layers
    between, out = group.tensors[1], group.tensors[2]
    order = schedule(group.layers, group.inputs, group.feed)
    left, top, cell, wide = 190, 96, 22, 60
    parts = [
        text(16, 30, "Two layers of the digits by rows", size=15, bold=True),
        text(16, 52, f"{between.name} makes {between.height} rows of {between.row_bytes} bytes. Its buffer holds "
             f"{between.room} of them.", size=12, fill=QUIET),
        text(16, top + 14, "rows in the buffer", size=12, bold=True),
        text(16, top + 34, f"of {between.name}", size=12, fill=QUIET),
    ]  # fmt: skip
    made, done = 0, 0
    for n, (layer, call) in enumerate(order):
        x = left + n * wide
        parts.append(middle(x + wide / 2 - 4, top - 10, f"call {n + 1}", 11, QUIET))
        begin = second.calls[done].begin if done < len(second.calls) else made
        new = first.calls[call].count if layer == 0 else 0
        for r in range(between.height):
            held, fresh = begin <= r < made, made <= r < made + new
            fill = OURS if fresh else "#99f6e4" if held else "#ffffff"
            parts.append(box(x, top + r * cell, wide - 8, cell, fill, PEER))
            if held or fresh:
                parts.append(middle(x + wide / 2 - 4, top + r * cell + 15, f"{r}", 10, "#ffffff" if fresh else INK))
        made += new
        if layer == 1:
            part = second.calls[call]
            words = DASH.join(f"{row}" for row in sorted({part.first, part.first + part.count - 1}))
            parts.append(arrow(x + wide / 2 - 4, top + 8 * cell + 4, x + wide / 2 - 4, top + 8 * cell + 24, AMBER))
            parts.append(box(x, top + 8 * cell + 26, wide - 8, cell, "#fde68a", AMBER))
            parts.append(middle(x + wide / 2 - 4, top + 8 * cell + 41, words, 10))
            done += 1
    bottom = top + 8 * cell + 26
    parts += [
        text(16, bottom + 15, f"rows of {out.name}", size=12, bold=True),
        box(16, bottom + 44, 14, 14, OURS), text(36, bottom + 56, "made in this call", size=12),
        box(170, bottom + 44, 14, 14, "#99f6e4"), text(190, bottom + 56, "still needed", size=12),
        box(300, bottom + 44, 14, 14, "#fde68a", AMBER), text(320, bottom + 56, "made of them", size=12),
        text(440, bottom + 56, f"arena: {arena:,} bytes instead of {fastest:,}; the same output bytes", size=12),
    ]  # fmt: skip
    return picture("Row streaming: which rows are in RAM during each call", bottom + 76, parts)


# ---- the proof ----


def proof() -> str:
    """What is held against the definition: the file's own forms on the left, what runs on the right."""
    forms = (
        ("LiteRT's reference kernels", "of an int8 .tflite, where LiteRT is installed"),
        ("The graph as imported", "each node by its own definition, before any pass"),
        ("The definition: numpy on the .ekc", "read back; behind all passes; integers alone"),
    )
    runs = (
        ("C on this machine", "under sanitizers in the tests"),
        ("Firmware on an emulated core", "qemu or unicorn; the linked image"),
        ("Firmware on a board", "by its console; not on real hardware yet"),
    )
    wide, right = 364, 460
    parts = [
        text(16, 30, "The same bytes, from the file to the firmware", size=15, bold=True),
        text(16, 52, "edgekc verify compares them, and names the first layer that differs.", size=12, fill=QUIET),
    ]
    for n, (title, line) in enumerate(forms):
        parts += card(16, 72 + 84 * n, wide, title, [line], "#ccfbf1" if n == 2 else PALE)
    for n, (title, line) in enumerate(runs):
        parts += card(right, 72 + 84 * n, wide, title, [line])
        parts.append(f'<line x1="420" y1="{97 + 84 * n}" x2="{right}" y2="{97 + 84 * n}" stroke="{OURS}"/>')
    for n, words in enumerate(
        ("all samples by outputs, the first by every tensor", "outputs; a difference names the pass")
    ):
        parts += [middle(36, 72 + 84 * n + 73, "=", 20, OURS), text(56, 72 + 84 * n + 71, words, size=12, fill=QUIET)]
    parts += [
        f'<line x1="420" y1="97" x2="420" y2="265" stroke="{OURS}"/>',
        f'<line x1="380" y1="265" x2="420" y2="265" stroke="{OURS}"/>',
        middle(400, 259, "=", 20, OURS),
        text(
            16,
            320,
            "Right: each is compared with the definition, byte by byte, the first samples layer by layer.",
            size=12,
        ),
    ]
    return picture("The chain of proof: what is compared with what", 340, parts)


PICTURES: dict[str, Callable[[], str]] = {"packing": packing, "kernel": kernel, "rows": rows, "proof": proof}

if __name__ == "__main__":
    for name, draw in PICTURES.items():
        (DOCS / f"how_{name}.svg").write_text(draw(), encoding="utf-8")

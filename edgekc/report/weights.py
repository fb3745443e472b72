"""The constants of a packed network to pictures: histograms of weights, and codebooks with how often each is used."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .. import tables
from ..graph.ir import Array, Graph, Node, Role
from ..graph.op import int_attrs
from ..ops import OPS
from .chart import Chart
from .drawing import Drawing, colour, fitted, short

_WIDE, _HIGH, _BINS = 216.0, 104.0, 40  # pixels of a histogram, and its bars
_CELL, _GAP, _MOST = 6.0, 5.0, 256  # pixels of a template's weight; templates that are drawn of a codebook
_SHADES = 12  # of a template's weight, on either side of zero
_BARS = 300.0  # pixels of a picture of centers


def weights_of(graph: Graph, node: Node) -> Array | None:
    """A layer's weights as integers, those that a compressed form stands for; None where it has none."""
    make = OPS[node.op].weights
    constants = [t.data for t in graph.of(node.inputs) if t.data is not None]
    if make is not None:
        return make(int_attrs(node), constants)
    plain = [t.data for t in graph.of(node.inputs) if t.data is not None and t.role is Role.WEIGHTS]
    return plain[0] if plain else None


def histograms(graph: Graph) -> Chart | None:
    """A small histogram of each layer that has weights; None where none has."""
    found = [(node, w) for node in graph.nodes if (w := weights_of(graph, node)) is not None and w.size]
    if not found:
        return None
    number = tables.number
    sheet = tables.Sheet("weights as integers", "layer", number("weights"), number("values"), number("zero"),
                         number("least"), number("mean"), number("deviation"), number("most"))  # fmt: skip
    pictures = []
    for node, weights in found:
        flat = np.asarray(weights, np.float64).reshape(-1)
        values, zero = len(np.unique(flat)), float((flat == 0).mean())
        pictures.append(_histogram(node.name, flat, values, zero))
        sheet.add(
            node.name, f"{flat.size:,}", f"{values:,}", f"{zero:.1%}", f"{flat.min():,.6g}", f"{flat.mean():,.4g}",
            f"{flat.std():,.4g}", f"{flat.max():,.6g}",
        )  # fmt: skip
    lead = (
        "How often each value occurs among a layer's weights, as the integers that the device computes with. Of a "
        "compressed layer they are those that its form stands for. A spike at zero can be skipped or removed; a few "
        "tall bars are a codebook."
    )
    return Chart("weights", "Weights", lead, (_grid(pictures, _WIDE),), (sheet,))


def _histogram(name: str, flat: Array, values: int, zero: float) -> str:
    drawing = Drawing(_WIDE, _HIGH, f"Weights of {name}: {flat.size:,}, {values:,} different values")
    low, high = float(flat.min()), float(flat.max())
    reach = max(abs(low), abs(high), 1.0)
    counts, edges = np.histogram(flat, bins=_BINS, range=(-reach, reach))
    top, base, step = 34.0, _HIGH - 16, (_WIDE - 8) / _BINS
    scale = (base - top) / max(int(counts.max()), 1)
    drawing.text(4, 13, fitted(name, _WIDE - 8, 12), bold=True)
    drawing.text(4, 27, f"{short(flat.size)}, {values:,} values, {zero:.0%} zero", size=10.5, fill="quiet")
    for k, count in enumerate(counts):
        if count:
            hint = f"{edges[k]:.4g} to {edges[k + 1]:.4g}: {int(count):,}"
            drawing.rect(4 + k * step, base - count * scale, max(step - 0.8, 0.5), max(count * scale, 1), "blue", hint)
    drawing.line(4, base, _WIDE - 4, base, "rule")
    for at, words, anchor in (
        (4, short(-reach), "start"),
        (_WIDE / 2, "0", "middle"),
        (_WIDE - 4, short(reach), "end"),
    ):
        drawing.text(at, _HIGH - 3, words, size=10, fill="quiet", anchor=anchor)
    return drawing.svg()


def _grid(pictures: Sequence[str], wide: float) -> str:
    style = f"display:grid;grid-template-columns:repeat(auto-fill,minmax({wide:g}px,1fr));gap:14px 18px"
    return f'<div style="{style}">{"".join(pictures)}</div>'


# ---- codebooks ----


def codebooks(graph: Graph) -> Chart | None:
    """Templates as little images, and centers as swatches, each with how often it is used; None where there are none.

    A codebook that several layers share is drawn once, with the uses of all.
    """
    pictures, bars, sheets, seen = [], [], [], dict[str, list[Node]]()
    for node in graph.nodes:
        for tensor in graph.of(node.inputs):
            if tensor.role in (Role.CODEBOOK, Role.CENTERS):
                seen.setdefault(tensor.name, []).append(node)
    for name, nodes in seen.items():
        book = graph.tensors[name]
        owners = ", ".join(node.name for node in nodes)
        if book.role is Role.CODEBOOK:
            used = _used(graph, nodes, len(book.value), name)
            pictures.append(_templates(owners, book.value, used))
            sheets.append(_uses(owners, "template", used))
        else:
            bars.append(_centers(owners, book.value, graph, nodes[0]))
    if bars:
        pictures.append(_grid(bars, _BARS))
    if not pictures:
        return None
    lead = (
        "The parts that compressed layers are put together from. A template is drawn as the image that it is, blue "
        "below zero and orange above; the bar below it says how often kernels use it. Centers are the values that "
        "clustered weights take, each as often as its bar is long."
    )
    return Chart("codebooks", "Codebooks", lead, tuple(pictures), tuple(sheets))


def _used(graph: Graph, nodes: Sequence[Node], count: int, book: str) -> Array:
    """How often kernels name each template: of the first index tensor behind the codebook."""
    total = np.zeros(count, np.int64)
    for node in nodes:
        behind = node.inputs[node.inputs.index(book) + 1 :]
        index = next((t for t in graph.of(behind) if t.role is Role.INDEX and t.data is not None), None)
        if index is not None:
            total += np.bincount(index.value.astype(np.int64).reshape(-1), minlength=count)[:count]
    return total


def _templates(owners: str, book: Array, used: Array) -> str:
    """The most used templates as a grid of images."""
    order = np.argsort(-used, kind="stable")[:_MOST]
    shape = book.shape[1:] if book.ndim == 3 else (1, int(np.prod(book.shape[1:])))
    wide, high = shape[1] * _CELL, shape[0] * _CELL
    step = wide + _GAP + 3
    columns = max(int(900 // step), 1)
    rows = -(-len(order) // columns)
    drawing = Drawing(min(columns, len(order)) * step + 4, 26 + rows * (high + 14), f"Templates of {owners}")
    shown = "" if len(order) == len(book) else f", the {len(order)} most used"
    idle = int((used == 0).sum())
    words = f"{owners}: {len(book)} templates of {shape[0]}x{shape[1]}{shown}" + f", {idle} unused" * (idle > 0)
    drawing.width = max(drawing.width, 20 + len(words) * 7)
    drawing.text(0, 14, words, bold=True)
    reach, most = max(float(np.abs(book.astype(np.float64)).max()), 1.0), max(int(used.max()), 1)
    cells: dict[tuple[str, int], list[str]] = {}
    for k, number in enumerate(order):
        x, y = (k % columns) * step, 26 + (k // columns) * (high + 14)
        for (r, c), value in np.ndenumerate(book[number].reshape(shape)):
            shade = round(_SHADES * float(value) / reach)
            if shade:
                cell = f"M{x + c * _CELL:g} {y + r * _CELL:g}h{_CELL:g}v{_CELL:g}h-{_CELL:g}z"
                cells.setdefault(("orange" if shade > 0 else "blue", abs(shade)), []).append(cell)
        drawing.rect(x, y, wide, high, "none", f"template {number}: used {int(used[number]):,} times", stroke="rule")
        drawing.rect(x, y + high + 3, max(wide * used[number] / most, 0.5), 3, "green")
    for (name, shade), some in sorted(cells.items()):  # one element a shade: a page has thousands of cells
        drawing.raw(f'<path d="{"".join(some)}" fill="{colour(name)}" fill-opacity="{shade / _SHADES:.2f}"/>')
    return drawing.svg()


def _centers(owners: str, centers: Array, graph: Graph, node: Node) -> str:
    """Bars of how many weights have each center, at its place among the values."""
    flat = centers.astype(np.float64).reshape(-1)
    index = next((t.value for t in graph.of(node.inputs) if t.role is Role.INDEX), np.zeros(0, np.int64))
    used = np.bincount(index.astype(np.int64).reshape(-1) % max(centers.shape[-1], 1), minlength=centers.shape[-1])
    wide, high = _BARS, 92.0
    drawing = Drawing(wide, high, f"Centers of {owners}")
    sets = f", {centers.shape[0]} sets" if centers.ndim == 2 and centers.shape[0] > 1 else ""
    drawing.text(0, 14, fitted(f"{owners}: {centers.shape[-1]} centers{sets}", wide), bold=True)
    reach, most, base = max(float(np.abs(flat).max()), 1.0), max(int(used.max()), 1), high - 16
    first = centers.reshape(-1, centers.shape[-1])[0].astype(np.float64)
    drawing.line(0, base, wide, base)
    for k, value in enumerate(first):
        x = (value / reach + 1) / 2 * (wide - 8) + 1
        tall = max((base - 24) * used[k] / most, 1)
        drawing.rect(
            x, base - tall, 5, tall, "blue" if value < 0 else "orange", f"center {value:g}: {int(used[k]):,} weights"
        )
    for at, words, anchor in ((0.0, f"{-reach:g}", "start"), (wide / 2, "0", "middle"), (wide, f"{reach:g}", "end")):
        drawing.text(at, high - 3, words, size=10, fill="quiet", anchor=anchor)
    return drawing.svg()


def _uses(owners: str, what: str, used: Array) -> tables.Sheet:
    sheet = tables.Sheet(f"uses in {owners}", tables.number(what), tables.number("uses"))
    for k in np.argsort(-used, kind="stable")[:20]:
        sheet.add(str(int(k)), f"{int(used[k]):,}")
    if len(used) > 20:
        sheet.add("others", f"{int(np.sort(used)[:-20].sum()):,}")
    return sheet

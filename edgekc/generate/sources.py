"""A Plan and its packed model to {path: text}: the C sources, CMake file and manifest of one network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from .. import __version__
from ..assets import runtime_file
from ..files.output import list_files
from ..format.pack import Packed
from ..graph.ir import Tensor
from ..graph.op import LAID_OUT
from ..names import in_comment, params_names
from ..templates import environment
from .arena_map import arena_json
from .blobs import HEADER as BLOB
from .blobs import BlobView, Numbers, blob_view, code_of, numbers_of
from .checks import HEADER as CHECK
from .checks import CheckView, check_view
from .copied import all_headers, copied_sources
from .embedded import DEFAULT, Embedded, Form, Part, as_files, embedded, file_name
from .front_matter import RIGHTS, front_matter
from .initialisers import fields_of, with_regions
from .parts import HEADER as PARALLEL
from .parts import PartsView, parts_view
from .plan import Location, Plan, Step
from .rewritten import copies
from .row_sources import HEADER, GroupView, groups, pointer
from .source_lines import SourceLines

MANIFEST_VERSION = 1
_CACHE_LINE = 64  # bytes; a load across two of them takes twice as long


@dataclass(frozen=True, slots=True)
class Edge:
    """An input or output of the network, as header and manifest tell it."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    offset: int  # bytes into the caller's buffer
    bytes: int
    scale: float
    zero_point: int


@dataclass(frozen=True, slots=True)
class _EdgeView:
    comment: str
    macro: str
    offset: int
    scale: str
    zero_point: int
    member: str  # of a blob's model


@dataclass(frozen=True, slots=True)
class _LayerView:
    index: int
    comment: str
    struct: str
    params: str
    fields: tuple[str, ...]
    call: str
    output: str
    output_bytes: int
    group: GroupView | None  # with which it runs by rows; of the first of them alone
    streamed: bool
    parts: PartsView | None  # which may run at the same time


@dataclass(frozen=True, slots=True)
class _NetView:
    """All that the templates see; they do no arithmetic."""

    name: str
    upper: str
    guard: str
    front: tuple[str, ...]
    rights: tuple[str, ...]
    summary: str
    arena_bytes: int
    input_bytes: int
    output_bytes: int
    state_bytes: int
    macs: int
    peak_layer: str
    uses_arena: bool
    uses_state: bool
    uses_input: bool
    single: bool  # some of it computes in float
    reset: tuple[str, ...]  # statements
    headers: tuple[str, ...]
    edges: tuple[_EdgeView, ...]  # inputs, then outputs
    inputs: int
    outputs: int
    layers: tuple[_LayerView, ...]
    words: int
    ekc_bytes: int  # of the file
    stripped: bool
    rewritten: bool  # the words have constants in the order of the kernels
    sections: tuple[Part, ...]
    laid_out_words: int
    laid_out_bytes: Mapping[int, int]  # by layer
    laid_out: tuple[Part, ...]
    ekc_file: str  # where the words are when they are in no array; else empty
    laid_out_file: str
    sources: tuple[str, ...]
    input_rows: int  # of the input that come at a time, by a callback; 0: it is whole
    input_row_bytes: int
    most_parts: int  # of a layer; 0: the C knows nothing of threads
    check: CheckView | None
    blob: BlobView | None  # which the constants are in


def edges(tensors: Sequence[Tensor], places: Sequence[int]) -> tuple[Edge, ...]:
    return tuple(
        Edge(t.name, t.shape, t.dtype, offset, t.nbytes, t.q.scale, t.q.zero_point)
        for t, offset in zip(tensors, places, strict=True)
    )


def generate(plan: Plan, packed: Packed, data: bytes, name: str, board: str, form: Form = DEFAULT) -> dict[str, bytes]:
    """All files of the output folder, by path below it.

    Args:
        plan: made from `packed.graph`.
        data: the bytes of the .ekc file that `packed` was read from.
        name: of the network; see `check_name`.
        board: what the kernels were chosen for.
        form: how the C holds the model.
    """
    net = _net_view(plan, packed, data, name, board, form)
    files: dict[str, bytes] = {f"{name}.ekc": data}
    templates = {
        f"include/{name}.h": "network.h.j2",
        f"src/{name}.c": "network.c.j2",
        "CMakeLists.txt": "CMakeLists.txt.j2",
    }
    if net.blob is None:
        templates[f"include/{name}_data.h"] = "data.h.j2"
        templates[f"src/{name}_data.c"] = "data_file.c.j2" if net.ekc_file else "data.c.j2"
    else:
        files[f"{name}.blob"] = net.blob.data
    files |= {path: _render(template, net) for path, template in templates.items()}
    for file, parts in ((net.ekc_file, net.sections), (net.laid_out_file, net.laid_out)):
        if file:
            files[f"include/{file}"] = b"".join(part.data for part in parts)
    for source in copied_sources(plan, form):
        files[f"src/{source}"] = runtime_file(source).read_bytes()
    ours = [*[PARALLEL] * bool(plan.most_parts), *[BLOB] * form.blob]
    for header in all_headers((*net.headers, *ours), files):
        files[f"include/{header}"] = runtime_file(header).read_bytes()
    files["manifest.json"] = _manifest(plan, packed, files, net, board)
    return files


def _render(template: str, net: _NetView) -> bytes:
    return bytes(environment().get_template(template).render(net=net).encode())


def _net_view(plan: Plan, packed: Packed, data: bytes, name: str, board: str, form: Form) -> _NetView:
    graph = plan.graph
    inputs, outputs = (
        edges(graph.of(graph.inputs), plan.input_offsets),
        edges(graph.of(graph.outputs), plan.output_offsets),
    )
    laid_out = _lay_out(plan)
    params = _params(plan)
    by_rows = {group.first: group for group in groups(plan, params, [_comment(step) for step in plan.steps])}
    held = embedded(plan, packed, data, form)
    numbers = numbers_of(plan) if form.blob else Numbers()
    layers = tuple(
        _layer_view(i, step, params[i], held, laid_out, by_rows.get(i), numbers) for i, step in enumerate(plan.steps)
    )
    own_order = b"".join(s.data for s in laid_out.values())
    check = check_view(form, held.parts, tuple(laid_out.values()), layers)
    in_files = not form.blob and as_files(form, held.data, own_order)
    reset = tuple(_resets(plan, held, numbers))
    code = code_of(plan, layers, reset, copied_sources(plan, form)) if form.blob else ()
    shapes = " and ".join(_shape(e.shape) for e in inputs) + " -> " + " and ".join(_shape(e.shape) for e in outputs)
    return _NetView(
        name=name,
        upper=name.upper(),
        guard=f"{name.upper()}_H",
        front=front_matter(graph.metadata, name, board, form.options),
        rights=RIGHTS,
        summary=f"{len(layers)} layers, {shapes}",
        arena_bytes=plan.arena_bytes,
        input_bytes=plan.input_bytes,
        output_bytes=plan.output_bytes,
        state_bytes=plan.state_bytes,
        macs=sum(s.macs for s in plan.steps),
        peak_layer=in_comment(plan.peak_layer),
        uses_arena=_uses(plan, "arena"),
        uses_state=_uses(plan, "state"),
        uses_input=bool(plan.groups) or _uses(plan, "input"),  # a group may be fed with rows of it
        single=any(t.dtype == "float32" for t in graph.tensors.values()),
        reset=reset,
        headers=tuple(
            sorted({*(s.kernel.header for s in plan.steps), *[HEADER] * bool(by_rows), *[CHECK] * bool(check)})
        ),
        check=check,
        blob=blob_view(plan, held, laid_out, numbers, code) if form.blob else None,
        most_parts=plan.most_parts,
        inputs=len(inputs),
        outputs=len(outputs),
        edges=tuple(_edge_views(name, "INPUT", inputs) + _edge_views(name, "OUTPUT", outputs)),
        layers=layers,
        words=len(held.data) // 4,
        ekc_bytes=len(data),
        stripped=held.stripped,
        rewritten=held.rewritten,
        sections=held.parts,
        laid_out_words=len(own_order) // 4,
        laid_out_bytes={i: s.size_bytes for i, s in laid_out.items()},
        laid_out=tuple(laid_out.values()),
        ekc_file=file_name(f"{name}_ekc", held.data) if in_files else "",
        laid_out_file=file_name(f"{name}_laid_out", own_order) if in_files and own_order else "",
        sources=tuple(sorted([f"{name}.c", *[f"{name}_data.c"] * (not form.blob), *copied_sources(plan, form)])),
        input_rows=next((group.rows.feed for group in plan.groups if group.rows.feed), 0),
        input_row_bytes=next((group.rows.tensors[0].row_bytes for group in plan.groups if group.rows.feed), 0),
    )


def _uses(plan: Plan, space: str) -> bool:
    return any(at is not None and at.space == space for s in plan.steps for at in (*s.inputs, s.output, s.scratch))


def _resets(plan: Plan, held: Embedded, numbers: Numbers) -> list[str]:
    """C that gives each state its first value."""
    out = []
    for state, offset in zip(plan.graph.states, plan.state_offsets, strict=True):
        first, place = state.first_bytes(), pointer(Location("state", offset))
        if state.start in held.offsets:
            out.append(f"memcpy({place}, BYTES({held.offsets[state.start]}), {len(first)}u);")
        else:
            fill = f"LEARNED({numbers.fills[state.start]})" if state.start in numbers.fills else first[0]
            out.append(f"memset({place}, {fill}, {len(first)}u);")
    return out


def _lay_out(plan: Plan) -> dict[int, Part]:
    """By layer, the constants that its kernel wants in an order of its own; each begins at a multiple of 64 bytes."""
    views: dict[int, Part] = {}
    offset = 0
    for i, (step, beside) in enumerate(zip(plan.steps, copies(plan.steps), strict=True)):
        if step.kernel.lays_out is not None or beside:
            lays_out = step.kernel.lays_out
            data = b"".join(beside.values()) if lays_out is None else lays_out(step.view).tobytes()
            data += bytes(-len(data) % _CACHE_LINE)
            views[i] = Part(in_comment(step.view.node.name), offset, len(data), data)
            offset += len(data)
    return views


def _edge_views(name: str, direction: str, items: Sequence[Edge]) -> list[_EdgeView]:
    views = []
    for i, e in enumerate(items):
        number = "" if i == 0 else str(i)
        word, called = direction.lower(), in_comment(e.name)
        called = word if called.lower() == word else f"{word} {called}"  # no "input input"
        comment = f"{called}: {e.dtype} {_shape(e.shape)}, {e.bytes} bytes"
        # repr gives the shortest decimal that is the same double, and so the same float.
        macro, member = f"{name.upper()}_{direction}{number}", f"{word}s[{i}]"
        views.append(_EdgeView(comment, macro, e.offset, f"{e.scale!r}f", e.zero_point, member))
    return views


def _layer_view(
    index: int, step: Step, params: str, held: Embedded, laid_out: Mapping[int, Part], group: GroupView | None,
    numbers: Numbers,
) -> _LayerView:  # fmt: skip
    view, kernel = step.view, step.kernel
    some_rows = step.rows or step.parts
    values = kernel.params(view if some_rows is None else some_rows.view)
    if index in laid_out and kernel.rewrites is not None:
        beside = kernel.rewrites(view)
        values |= {field: LAID_OUT for field, name in values.items() if isinstance(name, str) and name in beside}
    arguments = [f"&{params}"]
    arguments += [pointer(location) for location in step.inputs] + [pointer(step.output)]
    regions = step.rows.regions if step.rows is not None else kernel.scratch(view) if kernel.scratch is not None else ()
    ours = numbers.held(index, values)
    fields = fields_of(kernel.fields, ours, held.offsets, laid_out[index].offset if index in laid_out else None)
    if kernel.scratch is not None:
        arguments.append(pointer(step.scratch) if step.scratch is not None else "NULL")
    return _LayerView(
        index=index,
        comment=_comment(step),
        struct=kernel.struct_of(regions),
        params=params,
        fields=tuple(with_regions(regions, fields)),
        call=f"{kernel.symbol}({', '.join(arguments)});",
        output=pointer(step.output),
        output_bytes=view.out.nbytes,
        group=group,
        streamed=step.rows is not None,
        parts=parts_view(step, params),
    )


def _comment(step: Step) -> str:
    view = step.view
    shapes = ", ".join(_shape(t.shape) for t in view.inputs if t.data is None)
    text = f"{in_comment(view.node.name)}: {shapes} -> {_shape(view.out.shape)}"
    window = step.kernel.params(view).get("window")
    if isinstance(window, Mapping):
        text += f", window {window['k_h']}x{window['k_w']}, stride {window['stride_h']}x{window['stride_w']}"
    if step.in_place:
        text += ", in place"
    return text


def _params(plan: Plan) -> tuple[str, ...]:
    """The C name of each layer's parameters."""
    return params_names([step.view.node.name for step in plan.steps])


def _shape(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape))


def _manifest(plan: Plan, packed: Packed, files: dict[str, bytes], net: _NetView, board: str) -> bytes:
    graph, name = plan.graph, net.name
    statements = SourceLines(files[f"src/{name}.c"].decode().splitlines())
    params, layers = _params(plan), []
    for i, step in enumerate(plan.steps):
        first, last = statements.of(i, step, params[i])
        layers.append(
            {
                "index": i,
                "name": step.view.node.name,
                "op": step.view.node.op,
                "kernel": step.kernel.symbol,
                "macs": step.macs,
                "constant_bytes": sum(packed.offsets[t.name][1] for t in step.view.inputs if t.data is not None),
                "laid_out_bytes": net.laid_out_bytes.get(i, 0),
                "output_shape": list(step.view.out.shape),
                "output_bytes": step.view.out.nbytes,
                "scratch_bytes": step.scratch_bytes,
                "in_place": step.in_place,
                "source_lines": [first, last],
                **({} if step.rows is None else {"rows": step.rows.rows, "calls": len(step.rows.calls)}),
            }
        )
    manifest: dict[str, Any] = {
        "manifest_version": MANIFEST_VERSION,
        "tool": f"edgekc {__version__}",
        "name": name,
        "board": board,
        "needs": sorted(frozenset().union(*(s.kernel.needs for s in plan.steps))),
        "metadata": dict(graph.metadata),
        "inputs": [_edge_json(e) for e in edges(graph.of(graph.inputs), plan.input_offsets)],
        "outputs": [_edge_json(e) for e in edges(graph.of(graph.outputs), plan.output_offsets)],
        "arena_bytes": plan.arena_bytes,
        "arena_lower_bound": plan.lower_bound,
        **({"state_bytes": plan.state_bytes, "states": _states_json(plan)} if plan.state_bytes else {}),
        "arena_peak_layer": plan.peak_layer,
        "arena": arena_json(plan),
        **({"parts": plan.most_parts} if plan.most_parts else {}),
        **({"input_rows": plan.groups[0].rows.feed} if plan.groups and plan.groups[0].rows.feed else {}),
        **({} if plan.ram is None else {"ram": asdict(plan.ram)}),
        "macs": sum(s.macs for s in plan.steps),
        "ekc_bytes": len(files[f"{name}.ekc"]),
        "sections": [{"kind": s.kind.name.lower(), "offset": s.offset, "bytes": s.nbytes} for s in packed.sections],
        **({"embedded": [part.to_dict() for part in net.sections if part.names]} if net.stripped else {}),
        **({} if net.check is None else {"check": net.check.to_dict()}),
        **({} if net.blob is None else {"blob": net.blob.to_dict(name)}),
        "layers": layers,
    }
    return list_files(manifest, files)


def _states_json(plan: Plan) -> list[dict[str, Any]]:
    tensors = plan.graph.of(tuple(s.start for s in plan.graph.states))
    return [
        {"name": t.name, "shape": list(t.shape), "dtype": t.dtype, "offset": at, "bytes": t.nbytes}
        for t, at in zip(tensors, plan.state_offsets, strict=True)
    ]


def _edge_json(edge: Edge) -> dict[str, Any]:
    return {**asdict(edge), "shape": list(edge.shape)}

"""What a .onnx file refers to beside itself, and inside itself again and again: external data, and functions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ...errors import ModelError, UnsupportedError
from ...files import limits

_MAX_NODES = 1 << 17  # with all functions written out
_EXTERNAL = 1  # onnx.TensorProto.EXTERNAL


def load_external_data(model: Any, path: Path) -> None:
    """Put the values of tensors that lie in files beside the model into the model.

    Only regular files in the model's folder, or below it, are read: a model may come from anywhere, and must not
    name what else is on this machine.

    Raises:
        ModelError: another place, a missing file, or one that is shorter than the model says.
    """
    folder = path.resolve().parent
    total = 0
    for tensor in _tensors(model.graph):
        if tensor.data_location != _EXTERNAL:
            continue
        where = f"{path}: tensor {tensor.name[:60]!r}"
        record = {entry.key: entry.value for entry in tensor.external_data}
        file = _place(folder, record.get("location", ""), where)
        offset, length = (_number(record, key, where) for key in ("offset", "length"))
        try:
            size = file.stat().st_size
            start = offset or 0
            count = size - start if length is None else length
            if count < 0 or start + count > size:
                raise ModelError(
                    f"its data, {file.name!r}, has {size:,} bytes; bytes {start:,} to {start + count:,} are wanted",
                    where=where,
                )
            total += count
            if total > limits.unpacked_bytes():
                raise ModelError(limits.too_large("external data has", total), where=str(path), fix=limits.RAISE_LIMIT)
            with file.open("rb") as opened:
                opened.seek(start)
                tensor.raw_data = opened.read(count)
        except OSError as error:
            raise ModelError(f"its data, {file.name!r}, cannot be read: {error.strerror}", where=where) from error
        tensor.data_location = 0
        del tensor.external_data[:]


def _place(folder: Path, location: str, where: str) -> Path:
    """The regular file in `folder` that a location names."""
    wrong = ModelError(
        f"its data lies at {location[:80]!r}; only files beside the model are read",
        where=where,
        fix="put the data into the model's folder, and save the model again",
    )
    if not location or "\0" in location or Path(location).is_absolute():
        raise wrong
    try:
        file = (folder / location).resolve()
    except OSError as error:
        raise wrong from error
    if folder not in file.parents:  # also where a link leads
        raise wrong
    if not file.exists():
        raise ModelError(f"its data, {location[:80]!r}, is missing", where=where, fix="keep it beside the model")
    if not file.is_file():
        raise wrong
    return file


def _number(record: dict[str, str], key: str, where: str) -> int | None:
    text = record.get(key, "")
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise ModelError(f"the {key} of its data is {text[:40]!r}", where=where)
    return int(text)


def _tensors(graph: Any) -> Iterator[Any]:
    """Initialisers, and constants in attributes, of a graph and of those inside its nodes."""
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            yield attribute.t
            yield from attribute.tensors
            for inner in (attribute.g, *attribute.graphs):
                yield from _tensors(inner)


def check_functions(model: Any, where: str) -> None:
    """UnsupportedError where writing out the model's functions, which may use each other, makes too many nodes."""
    bodies = {(f.domain, f.name): f for f in model.functions}
    sizes: dict[tuple[str, str], int] = {}

    def size(nodes: Any, above: tuple[tuple[str, str], ...]) -> int:
        total = 0
        for node in nodes:
            key = (node.domain, node.op_type)
            if key not in bodies:
                inside = (graph.node for a in node.attribute for graph in (a.g, *a.graphs))
                total += 1 + sum(size(graph, above) for graph in inside)
                continue
            if key in above or len(above) > 100:
                raise UnsupportedError(f"function {node.op_type[:60]!r} uses itself", where=where)
            if key not in sizes:
                sizes[key] = size(bodies[key].node, (*above, key))
            total += sizes[key]
        return min(total, _MAX_NODES + 1)

    if size(model.graph.node, ()) > _MAX_NODES:
        raise UnsupportedError(f"more than {_MAX_NODES:,} nodes when its functions are written out", where=where)

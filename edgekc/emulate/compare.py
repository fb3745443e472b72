"""One output folder, three emulators: are the bytes of reference, host and device the same?"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..boards.board import Board
from ..errors import VerifyError
from ..files.output import read_manifest
from ..firmware.build import Optimise, build_image
from ..format.pack import read
from ..graph.ir import Array, Graph, Tensor
from ..progress import Progress, silent
from . import host, origin, reference
from .device import run_image

# Layer-by-layer traces go through the emulator's file calls, so only the first samples (all lowest, all
# highest, a ramp) are traced; all samples are compared at the outputs, and one that differs is traced then.
TRACED_SAMPLES = 3


@dataclass(frozen=True, slots=True)
class Comparison:
    """All samples agreed, byte for byte."""

    network: str
    board: str | None  # None: without a device
    emulator: str | None
    optimise: Optimise | None  # for what the device's code was compiled
    samples: int
    layers: int
    traced_samples: int
    output_sha256: str  # of all outputs, one after the other
    oracles: tuple[str, ...] = ()  # what gave the same outputs from the user's own file
    notes: tuple[str, ...] = ()  # what was not compared, and why

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def compare(
    folder: Path,
    board: Board | None,
    inputs: bytes,
    *,
    source: origin.Source | None = None,
    timeout_s: float = 600.0,
    optimise: Optimise = "speed",
    progress: Progress = silent,
) -> Comparison:
    """Run every sample on the numpy reference, the host and, where `board` is given, the emulated device.

    Args:
        source: what the packed model was made from, to be compared with its reference first.
        progress: is told what runs.

    Raises:
        VerifyError: names the first sample, layer and element that differ, and both values.
    """
    manifest = read_manifest(folder)
    graph = read((folder / f"{manifest['name']}.ekc").read_bytes(), f"{manifest['name']}.ekc").graph
    size_in, size_out = host.input_bytes(manifest), host.output_bytes(manifest)
    count = len(inputs) // size_in
    expected = reference_outputs(graph, inputs, count, progress)
    checked = origin.Checked((), ())
    if source is not None:
        progress("compare with the file that was compiled", 0, 0)
        ends = split_inputs(graph, inputs, count), _split(graph.of(graph.outputs), expected, count)
        checked = origin.check(source, graph, manifest, *ends, min(count, TRACED_SAMPLES))

    progress("build and run on the host", 0, 0)
    traced = host.build(folder, trace=True)
    first = min(count, TRACED_SAMPLES)
    for k in range(first):
        samples = _samples_to(k, graph, inputs, size_in)
        output, records = host.run_traced(traced, samples)
        _compare_layers(manifest, graph, samples, k, records, "host")
        _compare_output(output[-size_out:], expected[k * size_out : (k + 1) * size_out], k, "host")
    _compare_all(
        host.run(host.build(folder), inputs), expected, size_out, "host",
        lambda k, samples: host.run_traced(traced, samples)[1], manifest, graph, inputs, size_in,
    )  # fmt: skip

    emulator = None
    if board is not None:
        with tempfile.TemporaryDirectory(prefix="edgekc-device-") as temporary:
            progress(f"build the program for {board.name}", 0, 0)
            trace_image = build_image(folder, board, Path(temporary) / "trace", trace=True, optimise=optimise)

            def trace(k: int, samples: bytes) -> list[tuple[int, bytes]]:
                return list(run_image(trace_image, samples, timeout_s=timeout_s, count=False).trace)

            for k in range(first):
                progress(f"compare every layer on {board.name}", k, first)
                samples = _samples_to(k, graph, inputs, size_in)
                _compare_layers(manifest, graph, samples, k, trace(k, samples), board.name)
            progress(f"run {count} samples on {board.name}", 0, 0)
            image = build_image(folder, board, Path(temporary) / "plain", optimise=optimise)
            result = run_image(image, inputs, timeout_s=timeout_s, count=False)
            emulator = result.emulator
            _compare_all(result.outputs, expected, size_out, board.name, trace, manifest, graph, inputs, size_in)
    return Comparison(
        str(manifest["name"]),
        None if board is None else board.name,
        emulator,
        None if board is None else optimise,
        count,
        len(manifest["layers"]),
        first,
        hashlib.sha256(expected).hexdigest(),
        checked.oracles,
        checked.notes,
    )


def split_inputs(graph: Graph, inputs: bytes, count: int) -> list[Array]:
    """Samples as the C function takes them to one array per graph input, (count, *shape[1:])."""
    return _split(graph.of(graph.inputs), inputs, count)


def _split(tensors: Sequence[Tensor], data: bytes, count: int) -> list[Array]:
    """Samples of several tensors, one sample after the other, to one array per tensor."""
    rows = np.frombuffer(data, np.uint8).reshape(count, -1)
    arrays, offset = [], 0
    for tensor in tensors:
        part = np.ascontiguousarray(rows[:, offset : offset + tensor.nbytes])
        arrays.append(part.view(tensor.dtype).reshape(count, *tensor.shape[1:]))
        offset += tensor.nbytes
    return arrays


def _samples_to(k: int, graph: Graph, inputs: bytes, size_in: int) -> bytes:
    """What has to run for sample k: it alone, or with states the sequence that leads to it."""
    return inputs[(0 if graph.states else k) * size_in : (k + 1) * size_in]


def reference_outputs(graph: Graph, inputs: bytes, count: int, progress: Progress = silent, chunk: int = 32) -> bytes:
    """All outputs by the definition, as NAME_run writes them, sample after sample; `inputs` as it takes them.

    In chunks, because the definition keeps every activation of a chunk in memory.
    """
    arrays = split_inputs(graph, inputs, count)
    chunk = count if graph.states else chunk
    parts = []
    for start in range(0, count, chunk):
        progress("run the numpy reference", start, count)
        outputs = reference.outputs(graph, [a[start : start + chunk] for a in arrays])
        rows = [np.ascontiguousarray(y).reshape(y.shape[0], -1).view(np.uint8) for y in outputs]
        parts.append(np.concatenate(rows, axis=1).tobytes())
    return b"".join(parts)


def _compare_all(
    actual: bytes, expected: bytes, size_out: int, who: str, trace: Any, manifest: dict[str, Any], graph: Graph,
    inputs: bytes, size_in: int,
) -> None:  # fmt: skip
    if actual == expected:
        return
    count = len(expected) // size_out
    for k in range(count):
        if actual[k * size_out : (k + 1) * size_out] != expected[k * size_out : (k + 1) * size_out]:
            samples = _samples_to(k, graph, inputs, size_in)
            _compare_layers(manifest, graph, samples, k, trace(k, samples), who)
            _compare_output(actual[k * size_out :], expected[k * size_out :], k, who)
    raise VerifyError(f"{who} gave {len(actual)} output bytes, expected {len(expected)}")


def _compare_layers(
    manifest: dict[str, Any], graph: Graph, samples: bytes, k: int, records: list[tuple[int, bytes]], who: str
) -> None:
    """Compare the layers of samples, the last of which is k, with the reference; VerifyError at a difference."""
    count, layers = len(samples) // host.input_bytes(manifest), len(manifest["layers"])
    calls = sum(int(layer.get("calls", 1)) for layer in manifest["layers"])
    if len(records) != count * calls:
        raise VerifyError(f"sample {k}: {who} made {len(records)} calls of layers, expected {count * calls}")
    records = [r for i in range(count) for r in _whole(records[i * calls : (i + 1) * calls])]
    for i, values in enumerate(reference.steps(graph, split_inputs(graph, samples, count))):
        _compare_step(manifest, graph, values, k + 1 - count + i, records[i * layers : (i + 1) * layers], who)


def _whole(records: list[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
    """The records of one sample with each layer's rows put together, in the order of the layers."""
    parts: dict[int, list[bytes]] = {}
    for index, data in records:
        parts.setdefault(index, []).append(data)
    return [(index, b"".join(parts[index])) for index in sorted(parts)]


def _compare_step(
    manifest: dict[str, Any], graph: Graph, values: Mapping[str, Array], k: int, records: list[tuple[int, bytes]],
    who: str,
) -> None:  # fmt: skip
    outputs = {node.name: node.outputs[0] for node in graph.nodes}
    for (index, data), layer in zip(records, manifest["layers"], strict=True):
        expected = np.ascontiguousarray(values[outputs[layer["name"]]]).ravel()
        actual = np.frombuffer(data, expected.dtype)
        if index != layer["index"] or actual.size != expected.size:
            raise VerifyError(f"sample {k}: {who} reported layer {index} of {actual.size} values out of order")
        if expected.dtype == np.float32:  # the same bits, so that -0 is not 0 and NaN is itself
            different = np.flatnonzero(actual.view(np.uint32) != expected.view(np.uint32))
        else:
            different = np.flatnonzero(actual != expected)
        if different.size:
            i = int(different[0])
            where = np.unravel_index(i, layer["output_shape"])
            place = f"sample {k}, layer {index} {layer['name']} ({layer['kernel']}), element {tuple(map(int, where))}"
            raise VerifyError(
                f"{who} has {actual[i].item()!r}, the reference {expected[i].item()!r}; "
                f"{different.size} of {actual.size} differ",
                where=place,
            )


def _compare_output(actual: bytes, expected: bytes, k: int, who: str) -> None:
    for i, (a, e) in enumerate(zip(actual, expected, strict=False)):
        if a != e:
            raise VerifyError(
                f"sample {k}, output byte {i}: {who} has {a}, the reference {e}, though all traced layers agree"
            )

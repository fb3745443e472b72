"""What is packed comes back, in the same bytes, and as the specification says."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import graphs
import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from second_reader import Reader, operators

from edgekc.errors import ModelError
from edgekc.format.fields import Kind
from edgekc.format.pack import pack, unpack
from edgekc.graph.bits import index_bits
from edgekc.graph.ir import Array, Graph, Quant, Role, Stage, Tensor, constant
from edgekc.ops import OPS

DOC = Path(__file__).parents[2] / "docs" / "format.md"
LIGHT = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
pytestmark = pytest.mark.usefixtures("holder_op")
MAKERS = [graphs.tiny, graphs.deep, graphs.compressed, graphs.streaming]


@pytest.mark.parametrize("make", MAKERS)
def test_round_trip(make: object) -> None:
    graph: Graph = make()  # type: ignore[operator]
    data = pack(graph)
    again = unpack(data, "net.ekc")
    graphs.same(graph, again)
    assert pack(again) == data


@pytest.mark.parametrize("make", MAKERS)
def test_second_reader_agrees(make: object) -> None:
    """A reader that follows docs/format.md and shares no code finds the same."""
    graph: Graph = make()  # type: ignore[operator]
    reader = Reader(pack(graph))
    found = reader.graph()
    ops = operators(DOC)
    assert ops == {op.code: (op.name, list(op.attrs)) for op in OPS.values() if op is not graphs.HOLDER}
    ops[graphs.HOLDER.code] = (graphs.HOLDER.name, list(graphs.HOLDER.attrs))
    assert (found["name"], found["metadata"]) == (graph.name, graph.metadata)
    for node, raw in zip(graph.nodes, found["nodes"], strict=True):
        name, attrs = ops[raw["op"]]
        assert (node.op, node.name, dict(node.attrs)) == (
            name,
            raw["name"],
            dict(zip(attrs, raw["attributes"], strict=True)),
        )
        assert (list(node.inputs), list(node.outputs)) == (raw["operands"], raw["results"])
    assert found["inputs"] == list(graph.sources) and found["outputs"] == list(graph.outputs)
    assert [(s["end"], s["first"]) for s in found["states"]] == [(s.end, s.first_bytes()) for s in graph.states]
    assert {t["name"] for t in reader.tensors} == graph.tensors.keys()
    for t in reader.tensors:
        expected = graph.tensors[t["name"]]
        assert (expected.dtype, expected.role.value, list(expected.shape)) == (t["item"][0], t["role"], t["shape"])
        if expected.data is not None:
            assert expected.data.reshape(-1).tolist() == t["value"]
        if "points" in t:
            assert expected.q.scales == tuple(2.0**-p for p in t["points"])
        if "quant" in t:
            assert (expected.q.scale, expected.q.zero_point) == t["quant"]


def test_layout_promises() -> None:
    """Sections at multiples of 16, tensors at multiples of 4, data in order of appearance, little-endian."""
    graph = graphs.tiny()
    data = pack(graph)
    sections = graphs.section_map(data)
    assert [s.kind for s in sections] == sorted(s.kind for s in sections)
    assert all(s.offset % 16 == 0 for s in sections)
    assert sections[-1].offset + sections[-1].nbytes == len(data)
    offsets = graphs.constant_offsets(data)
    assert list(offsets) == [n for node in graph.nodes for n in node.inputs[1:]]
    spans = {s.kind.name.lower(): (s.offset, s.offset + s.nbytes) for s in sections}
    for name, (offset, nbytes) in offsets.items():
        t = graph.tensors[name]
        low, high = spans[t.role.value]
        assert offset % 4 == 0 and low <= offset and offset + nbytes <= high
        stored = np.frombuffer(data[offset : offset + nbytes], np.dtype(t.dtype).newbyteorder("<"))
        assert np.array_equal(stored.reshape(t.shape), t.value)
    weights = [offsets[f"{n.name}/weights"][0] for n in graph.nodes]
    assert weights == sorted(weights)


def test_overhead_of_sixteen_layers() -> None:
    """The file is embedded in flash: header, tables, graph and metadata of 16 layers stay below 1 KB."""
    for graph in (graphs.deep(), replace(graphs.deep(), name="n" * 20)):
        data = pack(graph)
        stored = sum(nbytes for _, nbytes in graphs.constant_offsets(data).values())
        assert len(data) - stored < 1024


def test_same_bytes_whatever_the_hash_seed() -> None:
    """Dict and set order must not reach the file; nor may the order of metadata and tensors."""
    code = "import sys, zlib; sys.path.insert(0, sys.argv[1]); import graphs; from edgekc.format.pack import pack\n"
    code += "print(zlib.crc32(pack(graphs.deep())))"
    found = set()
    for seed in ("0", "1", "77"):
        env = {**os.environ, "PYTHONHASHSEED": seed}
        command = [sys.executable, "-c", code, str(Path(__file__).parent)]
        found.add(subprocess.run(command, env=env, capture_output=True, check=True, text=True).stdout)
    assert len(found) == 1
    graph = graphs.tiny()
    turned = replace(graph, metadata=dict(reversed(graph.metadata.items())))
    assert pack(replace(turned, tensors=dict(reversed(graph.tensors.items())))) == pack(graph)


def test_shared_constants_and_foreign_names() -> None:
    """A constant read twice is stored once; one that is not named after its node keeps its name."""
    graph = graphs.tiny()
    shared = constant("shared", graph.tensors["dense/multiplier"].value, Role.REQUANT)
    dense = graph.nodes[-1]
    second = replace(dense, name="again", outputs=("again",), inputs=("dense2", *dense.inputs[1:3], "shared", "s"))
    renamed = replace(dense, inputs=(*dense.inputs[:3], "shared", "dense/shift"))
    tensors = {
        **graph.tensors,
        "shared": shared,
        "dense2": Tensor("dense2", (1, 2, 3, 4), "int8"),
        "s": constant("s", graph.tensors["dense/shift"].value, Role.REQUANT),
        "again": replace(graph.tensors["dense"], name="again"),
    }
    first = replace(graph.nodes[1], name="other", outputs=("dense2",))
    nodes = (*graph.nodes[:2], first, renamed, second)
    graph = replace(graph, tensors=tensors, nodes=nodes, outputs=("again", "dense"))
    again = unpack(pack(graph), "x")
    assert again.nodes == tuple(replace(n, attrs=dict(n.attrs)) for n in nodes)
    assert sum(n == "shared" for n in graphs.constant_offsets(pack(graph))) == 1
    assert pack(again) == pack(graph)


NAMES = st.text(st.characters(min_codepoint=32, exclude_characters="\x7f", exclude_categories=["Cc", "Cs"]), min_size=1)


@LIGHT
@given(
    shape=hnp.array_shapes(min_dims=0, max_dims=4, max_side=7),
    bits=st.integers(1, 8),
    seed=st.integers(0, 2**32 - 1),
)
def test_index_round_trip(shape: tuple[int, ...], bits: int, seed: int) -> None:
    values = np.random.default_rng(seed).integers(0, 1 << bits, shape).astype(np.uint8)
    _check(constant("layer/index", np.asarray(values), Role.INDEX))


def _check(*constants: Tensor) -> None:
    graph = graphs.holder(constants)
    data = pack(graph)
    graphs.same(graph, unpack(data, "x"))
    assert pack(unpack(data, "x")) == data
    offsets = graphs.constant_offsets(data)
    for t in constants:
        bits = index_bits(t.value) if t.role is Role.INDEX else t.value.itemsize * 8
        assert offsets[t.name][1] == -(-t.value.size * bits // 8)


@LIGHT
@given(hnp.arrays(np.float16, hnp.array_shapes(max_dims=3, max_side=5).map(lambda s: (*s, 2))))
def test_pairs_round_trip(values: Array) -> None:
    pairs = constant("layer/pairs", values, Role.PAIRS)
    if np.isfinite(values).all():
        _check(pairs)
    else:
        with pytest.raises(ModelError, match="finite"):
            pack(graphs.holder([pairs]))


@LIGHT
@given(st.data())
def test_centers_round_trip(data: st.DataObject) -> None:
    raw = data.draw(hnp.arrays(np.int16, hnp.array_shapes(max_dims=3, max_side=6)))
    points = data.draw(st.lists(st.integers(-63, 63), min_size=raw.shape[0], max_size=raw.shape[0]))
    quant = Quant(tuple(2.0**-p for p in points), (0,) * len(points))
    _check(constant("layer/centers", raw, Role.CENTERS, quant))


@LIGHT
@given(
    hnp.arrays(st.sampled_from([np.int8, np.int16]), hnp.array_shapes(max_dims=5, max_side=4)),
    hnp.arrays(st.sampled_from([np.int8, np.uint8, np.int16, np.int32]), hnp.array_shapes(min_dims=0, max_side=9)),
)
def test_codebook_and_requant_round_trip(codebook: Array, table: Array) -> None:
    _check(constant("layer/codebook", codebook, Role.CODEBOOK), constant("layer/table", table, Role.REQUANT))


@LIGHT
@given(NAMES, st.lists(NAMES, unique=True, max_size=6), st.dictionaries(st.text(), st.text()))
def test_names_and_metadata_round_trip(graph_name: str, names: list[str], metadata: dict[str, str]) -> None:
    try:
        (str(metadata) + graph_name + "".join(names)).encode()
        for k, v in metadata.items():
            (k + v).encode()
    except UnicodeEncodeError:
        return
    names = [n for n in names if n not in ("input", "layer")] or ["weights"]
    constants = [constant(n, np.array([i], np.int8), Role.WEIGHTS) for i, n in enumerate(names)]
    graph = replace(graphs.holder(constants, metadata), name=graph_name)
    data = pack(graph)
    graphs.same(graph, unpack(data, "x"))
    assert pack(unpack(data, "x")) == data


def test_only_interface_quantisation_is_kept() -> None:
    graph = unpack(pack(graphs.tiny()), "x")
    assert {n for n, t in graph.tensors.items() if t.quant is not None} == {"input", "dense"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dict(stage=Stage.QUANTIZED), "only an integer graph"),
        (dict(metadata={"a": "\ud800"}), "not valid text"),
        (dict(metadata={"a": 1}), "not valid text"),
        (dict(name=""), "empty"),
        (dict(name="x" * 4097), "longer"),
        (dict(name="a\nb"), "control"),
        (dict(name="\udc80"), "Unicode"),
    ],
)
def test_pack_refuses(change: dict[str, object], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        pack(replace(graphs.tiny(), **change))  # type: ignore[arg-type]


def test_kinds_are_the_constant_roles() -> None:
    constants = {r.value for r in Role if r is not Role.ACTIVATION}
    assert {k.name.lower() for k in Kind} == constants | {"graph", "metadata"}

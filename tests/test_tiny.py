"""The whole walk on a three-layer network: read this first."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from nets import Net

from edgekc.emulate import host, reference
from edgekc.emulate.compare import compare
from edgekc.errors import VerifyError
from edgekc.files.output import read_manifest, write_folder
from edgekc.format.pack import pack, read
from edgekc.generate.plan import plan
from edgekc.generate.sources import generate
from edgekc.ops import legal
from edgekc.passes.lower import lower


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    net = Net(np.random.default_rng(1), (1, 6, 5, 3))
    x = net.conv("input", 8, activation="relu")
    x = net.depthwise(x, stride=2)
    x = net.conv(x, 4, k=1)
    graph = lower(net.graph(x))
    graph = replace(graph, metadata={"tool": "test"})
    legal.check(graph)
    data = pack(graph)
    packed = read(data, "tiny.ekc")
    target = tmp_path_factory.mktemp("tiny") / "out"
    write_folder(generate(plan(packed.graph, frozenset()), packed, data, "tiny", "none"), target)
    return target


def test_reference_and_host_agree(folder: Path) -> None:
    manifest = read_manifest(folder)
    result = compare(folder, None, host.samples(manifest, 20))
    assert result.samples == 20
    assert result.layers == 3


def test_a_wrong_byte_is_found_and_named(folder: Path, tmp_path: Path) -> None:
    """A bias that differs between the packed model and the sources: the first layer must be named."""
    graph = read((folder / "tiny.ekc").read_bytes(), "tiny.ekc").graph
    name = "depthwise_1/bias"
    tensors = dict(graph.tensors)
    data = tensors[name].value.copy()
    data[2] += 100000
    tensors[name] = replace(tensors[name], data=data)
    for path in folder.rglob("*"):
        if path.is_file():
            (tmp_path / path.relative_to(folder)).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path.relative_to(folder)).write_bytes(path.read_bytes())
    (tmp_path / "tiny.ekc").write_bytes(pack(replace(graph, tensors=tensors)))
    manifest = read_manifest(tmp_path)
    with pytest.raises(VerifyError, match=r"layer 1 depthwise_1 .*element \(0, 0, 0, 2\)"):
        compare(tmp_path, None, host.samples(manifest, 4))


def test_same_input_same_bytes(folder: Path) -> None:
    """Packing what was unpacked, and generating again, changes nothing."""
    data = (folder / "tiny.ekc").read_bytes()
    packed = read(data, "tiny.ekc")
    assert pack(packed.graph) == data
    files = generate(plan(packed.graph, frozenset()), packed, data, "tiny", "none")
    for path, content in files.items():
        assert (folder / path).read_bytes() == content, path


def test_reference_batches_are_independent(folder: Path) -> None:
    graph = read((folder / "tiny.ekc").read_bytes(), "tiny.ekc").graph
    x = np.random.default_rng(2).integers(-128, 128, (5, 6, 5, 3)).astype(np.int8)
    together = reference.outputs(graph, [x])[0]
    for k in range(5):
        np.testing.assert_array_equal(together[k : k + 1], reference.outputs(graph, [x[k : k + 1]])[0])

"""Random networks of many operators whose constants are in a blob: the C gives the definition's bytes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import edgekc
from edgekc.emulate import host
from edgekc.emulate.compare import compare
from edgekc.files.output import write_folder
from edgekc.format.pack import read
from edgekc.fuzzing.drawing import draw
from edgekc.fuzzing.floats import float_net
from edgekc.fuzzing.subjects import Subject, subject
from edgekc.generate.embedded import Form
from edgekc.generate.parts import plan_in_parts
from edgekc.generate.plan import Plan, plan
from edgekc.generate.row_search import smallest
from edgekc.generate.sources import generate
from edgekc.graph.ir import Graph

FLAGS = ("-std=c99", "-O0", "-Wall", "-Wextra", "-Wshadow", "-Werror", "-fPIC", "-shared")
SEED = 7
FEATURES = {
    "portable": frozenset[str](),
    "dsp": frozenset({"dsp", "thumb2"}),
    "mve": frozenset({"mve", "dsp", "thumb2"}),
    "vector": frozenset({"vector"}),
}


def _planned(graph: Graph, kind: str) -> Plan:
    if kind == "rows":
        return smallest(graph, FEATURES["dsp"], fed=False) or plan(graph, FEATURES["dsp"])
    if kind == "parts":
        return plan_in_parts(graph, FEATURES["vector"], 3)
    return plan(graph, FEATURES[kind])


def _outputs(s: Subject) -> bytes:
    """Of all samples, one behind the other."""
    columns = [np.ascontiguousarray(s.values[name]) for name in s.graph.outputs]
    return b"".join(column[k].tobytes() for k in range(len(columns[0])) for column in columns)


def _inputs(s: Subject) -> bytes:
    return b"".join(np.ascontiguousarray(x[k]).tobytes() for k in range(len(s.inputs[0])) for x in s.inputs)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [*FEATURES, "rows", "parts"])
@pytest.mark.parametrize("number", range(3))
def test_the_bytes_are_the_definitions(kind: str, number: int, tmp_path: Path) -> None:
    drawn = draw(SEED, 10 * number + len(kind))
    s = subject(drawn.net, drawn.form)
    packed = read(s.data, "random.ekc")
    files = generate(_planned(packed.graph, kind), packed, s.data, "net", "none", Form(blob=True))
    write_folder(files, tmp_path / "out")
    program = host.build(tmp_path / "out", flags=FLAGS)
    assert host.run(program, _inputs(s)) == _outputs(s)
    assert json.loads(files["manifest.json"])["blob"]["rules"] and not any("_data" in path for path in files)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_parts_in_float(seed: int, tmp_path: Path) -> None:
    s = subject(float_net(seed), "dense", 3)
    folder = _written(s.data, tmp_path, Form(blob=True))
    assert host.run(host.build(folder, flags=(*FLAGS, "-ffp-contract=off")), _inputs(s)) == _outputs(s)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_an_lstm_and_its_state(seed: int, tmp_path: Path) -> None:
    pytest.importorskip("tflite", reason="the writer of .tflite files needs the package tflite")
    import recurrent

    (tmp_path / "net.tflite").write_bytes(recurrent.file(recurrent.made(seed)[0]))
    program = edgekc.compile(tmp_path / "net.tflite", name="net", blob=True)
    assert "LEARNED" in program.files["src/net.c"].decode().partition("void net_reset")[2]
    assert compare(program.folder, None, host.samples(dict(program.manifest), 6)).samples == 6


def _written(data: bytes, folder: Path, form: Form) -> Path:
    packed = read(data, "net.ekc")
    write_folder(generate(plan(packed.graph, FEATURES["dsp"]), packed, data, "net", "none", form), folder / "out")
    return folder / "out"

"""Charts say what their data say: areas are bytes, buffers lie where the C has them, and names are escaped."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

import edgekc
from edgekc.boards.cores import CORES
from edgekc.demo.walk import DATA
from edgekc.graph.ir import Graph
from edgekc.measure.difference import Change
from edgekc.report.against_float import error_chart, layer_errors
from edgekc.report.confusion import confusion
from edgekc.report.drawing import fitted, short, ticks
from edgekc.report.growth import growth
from edgekc.report.headlines import headlines
from edgekc.report.layers import cycles_by_layer
from edgekc.report.live import kind_of
from edgekc.report.network import dot, draw
from edgekc.report.page import Page, in_script, render
from edgekc.report.ram import in_use, ram_over_time
from edgekc.report.roofline import points_of, roof_of, roofline
from edgekc.report.treemap import Box, flash_by_layer, squarify, treemap
from edgekc.report.weights import codebooks, histograms, weights_of

MODEL = DATA / "digits_int8.tflite"
PACKED = Path(__file__).resolve().parents[2] / "examples" / "models" / "resnet8_cifar10.ekc"
SVG = "{http://www.w3.org/2000/svg}"
EVIL = '<script>alert("x")</script>&\u202e'

pytestmark = pytest.mark.fast


def marks(picture: str) -> list[str]:
    """Hints of the marks of an SVG, which is well-formed."""
    tree = ElementTree.fromstring(picture)
    return [title.text or "" for e in tree.iter() if e.get("class") == "mark" for title in e.findall(f"{SVG}title")]


@pytest.fixture(scope="module")
def packed() -> Graph:
    return edgekc.load(PACKED).graph


def measured(**changes: Any) -> dict[str, Any]:
    """A measurement as `measure --json` prints it, made by hand."""
    layers = [
        {"name": "a", "op": "conv2d", "kernel": "ek_conv2d_s8", "macs": 1000, "instructions": [900], "cycles": [],
         "estimated_cycles": {"low": 900, "likely": 1000, "high": 1200}},
        {"name": EVIL, "op": "softmax", "kernel": "ek_softmax_s8", "macs": 0, "instructions": [50], "cycles": [],
         "estimated_cycles": None},
    ]  # fmt: skip
    rows = [("a", "weights", 600), ("a", "bias", 40), (EVIL, "code", 300), ("(network)", "format", 60)]
    by_layer = [{"layer": layer, "kind": kind, "size_bytes": size} for layer, kind, size in rows]
    by_layer.append({"layer": "(harness)", "kind": "code", "size_bytes": 5000})
    return {
        "name": "net", "board": "b", "compiler": "c", "optimise": "speed", "emulator": "qemu", "by_layer": by_layer,
        "layers": layers, "model_flash_bytes": 1000, "model_ram_bytes": 500, "stack_bytes": 100, "macs": 1000,
        "painted_stack_bytes": None, "arena_bytes": 400, "instructions": [950], "cycles": [], "speed": None, **changes,
    }  # fmt: skip


def test_areas_are_sizes() -> None:
    sizes, box = [500.0, 300.0, 120.0, 50.0, 20.0, 9.0, 1.0], Box(10, 20, 400, 250)
    found = squarify(sizes, box)
    for size, b in zip(sizes, found, strict=True):
        assert b.width * b.height == pytest.approx(size / 1000 * 400 * 250)
        assert b.x >= 10 - 1e-6 and b.y >= 20 - 1e-6 and b.x + b.width <= 410 + 1e-6 and b.y + b.height <= 270 + 1e-6
    for i, a in enumerate(found):
        for b in found[:i]:
            apart_x = a.x >= b.x + b.width - 1e-6 or b.x >= a.x + a.width - 1e-6
            assert apart_x or a.y >= b.y + b.height - 1e-6 or b.y >= a.y + a.height - 1e-6
    assert max(max(b.width / b.height, b.height / b.width) for b in found[:4]) < 3  # squares, more or less
    assert squarify([], box) == []


def test_the_treemap_has_every_byte_of_the_model_and_none_of_the_harness() -> None:
    m = measured()
    chart = treemap(m)
    assert sum(sum(kinds.values()) for kinds in flash_by_layer(m).values()) == 1000
    hints = marks(chart.pictures[0])
    assert "a: weights 600 bytes, 60.0% of the model's flash" in hints and len(hints) == 4
    assert not any("harness" in hint for hint in hints)
    assert chart.sheets[0].rows[-1][-1].plain == "1,000"


def test_names_are_escaped_everywhere() -> None:
    m = measured()
    charts = [treemap(m), cycles_by_layer(m), confusion([[1, 0], [1, 0]], [EVIL, "b"], EVIL, ())]
    page = render(Page(EVIL, EVIL, headlines(m, None), (EVIL,), tuple(c for c in charts if c), {"x": EVIL}, (EVIL,)))
    text = page.decode()
    assert "<script>alert" not in text and "\u202e" not in text
    assert "</script>" not in in_script({"x": EVIL})
    assert text.count("</script>") == 2  # of the data and of the program
    for chart in charts:
        assert chart is not None and "<script>alert" not in chart._repr_html_()


def test_bars_have_cycles_and_instructions() -> None:
    chart = cycles_by_layer(measured())
    assert chart is not None
    hints = marks(chart.pictures[0])
    assert "a: 1,000 estimated cycles, 900 to 1,200, by ek_conv2d_s8" in hints
    assert "a: 900 instructions, counted" in hints and len(hints) == 3
    assert cycles_by_layer(measured(layers=[])) is None


def test_roofs_follow_from_the_timing_of_the_cores() -> None:
    by_hand = {
        "cortex-m4": (2, 4),
        "cortex-m3": (0.5, 4),
        "cortex-m0": (0.5, 2),
        "cortex-m7": (2, 4),
        "cortex-m55": (8, 8),
    }
    for name, (macs, loaded) in by_hand.items():
        roof = roof_of(CORES[name])
        assert roof is not None and (roof.macs, roof.bytes) == (macs, loaded)
        assert roof.at(0.01) == pytest.approx(0.01 * loaded) and roof.at(1e6) == macs
    manifest = {
        "inputs": [{"bytes": 60}],
        "layers": [{"name": "a", "macs": 1000, "constant_bytes": 20, "output_bytes": 20}],
    }
    (point,) = points_of(measured(), manifest)
    assert (point.intensity, point.macs_per_cycle) == (10, 1)
    chart = roofline(measured(), manifest, CORES["cortex-m4"])
    assert chart is not None and marks(chart.pictures[0]) == [
        "a: 1.00 MACs a cycle, 50% of the roof, 10.0 MACs for each byte"
    ]


# ---- the arena ----


def overlapping(manifest: Mapping[str, Any]) -> list[str]:
    """Pairs of buffers that hold the same byte during one layer, but for those written over in place."""
    found = []
    places = manifest["arena"]
    for i in range(len(manifest["layers"])):
        live = [p for p in places if p["first"] <= i <= p["last"]]
        for k, a in enumerate(live):
            for b in live[:k]:
                apart = a["offset"] >= b["offset"] + b["bytes"] or b["offset"] >= a["offset"] + a["bytes"]
                hands_over = {a["last"], a["first"]} & {b["last"], b["first"]} & {i} and "activation" in (
                    a["kind"],
                    b["kind"],
                )
                if not apart and not (hands_over and a["kind"] == b["kind"]):
                    found.append(f"{manifest['layers'][i]['name']}: {a['name']} and {b['name']}")
    return found


@pytest.mark.parametrize(("source", "ram"), [(MODEL, None), (PACKED, None), (MODEL, 2400)])
def test_buffers_lie_where_the_c_has_them(source: Path, ram: int | None) -> None:
    """Every address of the arena in a layer's call is where a buffer of the map begins that is in use then."""
    program = edgekc.compile(source, board="nucleo-l4r5zi", name="net", ram=ram)
    manifest = program.manifest
    assert not overlapping(manifest)
    assert max(p["offset"] + p["bytes"] for p in manifest["arena"]) == manifest["arena_bytes"]
    lines = program.files["src/net.c"].decode().splitlines()
    seen = 0
    for i, layer in enumerate(manifest["layers"]):
        begins = {p["offset"] for p in manifest["arena"] if p["first"] <= i <= p["last"]}
        if "rows" in layer:
            continue
        call = lines[layer["source_lines"][0] - 1]
        for name, offset in re.findall(r"\b(ram)(?: \+ (\d+))?\b", call):
            seen += 1
            assert int(offset or 0) in begins, f"{layer['name']}: {name} + {offset}"
    assert seen
    sums = [in_use(manifest, i) for i in range(len(manifest["layers"]))]
    assert max(sums) <= manifest["arena_lower_bound"] <= manifest["arena_bytes"]
    if ram is None:
        assert max(sums) == manifest["arena_lower_bound"]
    else:
        assert any(p["kind"] == "rows" and 0 < p["rows"] < p["height"] for p in manifest["arena"])
    chart = ram_over_time(manifest)
    assert chart is not None and len(marks(chart.pictures[0])) == len(manifest["arena"]) == len(chart.sheets[0].rows)


def test_an_older_manifest_has_no_map() -> None:
    assert ram_over_time({"layers": [], "arena_bytes": 100, "name": "net"}) is None


# ---- weights ----


def test_every_kernel_uses_a_template(packed: Graph) -> None:
    chart = codebooks(packed)
    assert chart is not None and len(chart.pictures) == 4  # three codebooks, and all centers
    for node, picture, sheet in zip(
        [n for n in packed.nodes if "template" in n.op], chart.pictures, chart.sheets, strict=False
    ):
        uses = sum(int(row[1].plain.replace(",", "")) for row in sheet.rows)
        assert uses == packed.tensors[f"{node.name}/indices"].value.size
        drawn = sum(int(h.split("used ")[1].split(" ")[0].replace(",", "")) for h in marks(picture))
        assert drawn == uses  # all are drawn
    assert codebooks(edgekc.load(MODEL).graph) is None


def test_histograms_count_every_weight(packed: Graph) -> None:
    chart = histograms(packed)
    assert chart is not None
    grid = ElementTree.fromstring(chart.pictures[0])
    layers = [(n, w) for n in packed.nodes if (w := weights_of(packed, n)) is not None]
    assert len(grid) == len(layers) == 10
    for svg, (_, weights) in zip(grid, layers, strict=True):
        counts = [
            int(h.rsplit(": ", 1)[1].replace(",", "")) for h in marks(ElementTree.tostring(svg, encoding="unicode"))
        ]
        assert sum(counts) == weights.size


# ---- beside others ----


def test_growth_shows_what_differs_with_its_sign() -> None:
    changes = [Change("flash of the model", 100, 150), Change("flash, layer a", 50, None), Change("arena", 9, 9),
               Change("RAM of the model", 40, 30), Change("instructions", None, 7)]  # fmt: skip
    flash, ram, counts = growth("x", "y", changes, ())
    assert marks(flash.pictures[0]) == [
        "flash of the model: 100 to 150, +50 bytes of flash",
        "flash, layer a: 50 to none, -50 bytes of flash",
    ]
    assert marks(ram.pictures[0]) == ["RAM of the model: 40 to 30, -10 bytes of RAM"]
    assert marks(counts.pictures[0]) == ["instructions: none to 7, +7"]
    assert not growth("x", "y", [Change("arena", 9, 9)], ())[1].pictures


def test_the_error_of_layers_against_float() -> None:
    """A scale and a zero point are no error; noise of a tenth is twenty decibels."""
    model = edgekc.load(MODEL)
    program = edgekc.compile(model, name="net")
    graph = program.graph
    rng = np.random.default_rng(0)
    x = rng.integers(-128, 128, (4, *graph.tensors[graph.inputs[0]].shape[1:])).astype(np.int8)
    exact = _Same(graph, rng)
    found = layer_errors(graph, exact, [x], [x])  # type: ignore[arg-type]
    assert {e.name for e in found} >= {"conv_0", "add_5"}
    assert all(e.signal_to_error_db == pytest.approx(20, abs=1.5) for e in found if e.name == "conv_0")
    assert all(e.signal_to_error_db > 70 for e in found if e.name != "conv_0")
    chart = error_chart(found, "net", "4 inputs")
    assert chart is not None and "conv_0 is the furthest off" in chart.lead
    assert error_chart([], "net", "4 inputs") is None


class _Same:
    """In place of a float model: what the packed one computes, times 3 plus 1, with noise in conv_0."""

    def __init__(self, graph: Graph, rng: np.random.Generator) -> None:
        self.graph, self.rng = graph, rng


@pytest.fixture(autouse=True)
def _float_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    from edgekc.emulate import reference
    from edgekc.quantize import float_reference

    real = float_reference.run

    def run(graph: Any, inputs: Any) -> Any:
        if not isinstance(graph, _Same):
            return real(graph, inputs)
        values = {k: 3.0 * v.astype(np.float64) + 1 for k, v in reference.run(graph.graph, inputs).items()}
        noisy = values["conv_0"]
        values["conv_0"] = noisy + graph.rng.normal(0, 0.1 * noisy.std(), noisy.shape)
        return values

    monkeypatch.setattr(float_reference, "run", run)


# ---- networks ----


def test_boxes_of_a_network_do_not_touch(packed: Graph) -> None:
    tree = ElementTree.fromstring(draw(packed))
    boxes = [tuple(float(e.get(k, "")) for k in ("x", "y", "width", "height")) for e in tree.iter(f"{SVG}rect")
             if e.get("class") == "mark"]  # fmt: skip
    assert len(boxes) == len(packed.nodes) + 2
    for i, (x, y, w, h) in enumerate(boxes):
        assert all(x >= a + c or a >= x + w or y >= b + d or b >= y + h for a, b, c, d in boxes[:i])
    activations = sum(t.data is None for n in packed.nodes for t in packed.of(n.inputs)) + len(packed.outputs)
    assert dot(packed).count(" -> ") == activations
    assert len(list(tree.iter(f"{SVG}path"))) > activations  # arrows that pass a layer have a bend there


def test_strings_of_graphviz_are_closed(packed: Graph) -> None:
    from dataclasses import replace

    text = dot(replace(packed, name='a"; b\\'))
    assert text.startswith('digraph "a\\"; b\\\\" {')


# ---- small parts ----


def test_numbers_and_words() -> None:
    assert [short(n) for n in (0, 7, 999, 1000, 12345, 4085705)] == ["0", "7", "999", "1k", "12.3k", "4.09M"]
    assert ticks(0, 9.3) == [0, 2, 4, 6, 8, 10] and ticks(5, 5)[0] <= 5 <= ticks(5, 5)[-1]
    assert fitted("depthwise_conv_1", 60) == "dept…v_1"
    assert fitted("abc", 1) == ""


@pytest.mark.parametrize(
    ("shape", "kind"),
    [([1, 8, 8, 1], "image"), ([1, 96, 96, 3], "image"), ([1, 49, 10, 1], "speech"), ([1, 640], "other"),
     ([1, 32, 32, 16], "other"), ([1, 1, 49, 1], "other")],
)  # fmt: skip
def test_what_an_input_is(shape: list[int], kind: str) -> None:
    assert kind_of(shape) == kind


def test_headlines_say_how_they_are_known() -> None:
    verified = {"ok": True, "board": "b", "samples": 4, "output_sha256": "ab" * 32, "difference": ""}
    evaluated = {"accuracy": 0.9, "interval_percent": (80.0, 95.0), "right": 9, "total": 10}
    found = {h.label: h for h in headlines(measured(), {}, verified, evaluated)}
    assert found["Proof"].good and "reference = host = b, 4 samples" in found["Proof"].note
    assert found["Accuracy"].value == "90.00 %" and "80.00 to 95.00" in found["Accuracy"].note
    wrong = headlines(measured(), {}, {**verified, "ok": False, "difference": "layer a differs"})[-1]
    assert wrong.good is False and "layer a differs" in wrong.note
    grown = headlines(measured(), None, before=measured(model_flash_bytes=800))[0]
    assert grown.note == "was 800, +200 (+25.0%)"

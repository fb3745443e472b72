"""Reports of builds, pairs and searches: one file that asks for nothing, and in Chromium the device's bytes."""

from __future__ import annotations

import html.parser
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cepstra import cepstra
from chromium import opened
from unit.cli_command import call, complaint

import edgekc
from edgekc.demo.walk import DATA
from edgekc.emulate import reference
from edgekc.errors import ToolError, UsageError
from edgekc.firmware import toolchain
from edgekc.report.page import MAGIC
from edgekc.report.searched import read_search, search_chart

MODEL, TEST = DATA / "digits_int8.tflite", DATA / "digits_test.npz"
BOARD = "mps2-an386"
MOST_BYTES = 2_000_000


class Links(html.parser.HTMLParser):
    """What a page would load, and its headings; every element that is opened is closed."""

    _VOID = frozenset("meta link br input rect circle line path".split())

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.open: list[str] = []
        self.titles: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.links += [value or "" for name, value in attrs if name in ("src", "href", "data", "action")]
        if tag not in self._VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        if tag not in self._VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "h2":
            self.titles.append(data)


def parsed(page: bytes) -> Links:
    links = Links()
    links.feed(page.decode())
    assert not links.open
    assert all(link.startswith(("#", "data:")) for link in links.links)
    return links


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return edgekc.compile(MODEL, board=BOARD, name="digits").save(tmp_path_factory.mktemp("report") / "digits")


def need_device() -> None:
    try:
        toolchain.arm_compiler(edgekc.load_board(BOARD))
    except ToolError as error:
        pytest.skip(str(error))


@pytest.mark.fast
def test_a_build_becomes_one_file(folder: Path, tmp_path: Path) -> None:
    need_device()
    out = tmp_path / "report.html"
    result = call("report", folder, "-o", out, "--data", TEST, "--no-verify", "--no-network")
    assert result.code == 0, result.err
    assert "Accuracy: 99.44 %" in result.out and f"{out}: " in result.out
    page = out.read_bytes()
    assert page.startswith(MAGIC) and len(page) < MOST_BYTES
    assert parsed(page).titles == ["Accuracy", "Flash", "RAM over time", "Cycles and instructions", "Roofline",
                                   "Weights", "Network"]  # fmt: skip
    measured = edgekc.open_program(folder).measure(samples=1)
    assert f'<div class="value">{measured.flash_bytes:,}</div>' in page.decode()


@pytest.mark.fast
def test_two_measurements_are_compared(folder: Path, tmp_path: Path) -> None:
    need_device()
    m = json.loads(json.dumps(edgekc.open_program(folder).measure(samples=1).measurement.as_json()))
    grown = json.loads(json.dumps(m))
    grown["by_layer"][0]["size_bytes"] += 100
    grown["model_flash_bytes"] += 100
    (tmp_path / "a.json").write_text(json.dumps(m))
    (tmp_path / "b.json").write_text(json.dumps(grown))
    found = edgekc.make_report(tmp_path / "a.json", tmp_path / "b.json")
    assert found.page.headlines[0].note.startswith(f"was {m['model_flash_bytes']:,}, +100 (")
    assert "What grew: flash" in parsed(found.html).titles
    assert "<svg" in found._repr_html_() and "Flash, bytes" in str(found)
    alone = edgekc.make_report(tmp_path / "b.json")
    assert [c.key for c in alone.charts] == ["flash", "layers"]
    for more in ({"data": TEST}, {"float_model": MODEL}):
        with pytest.raises(UsageError, match="a measurement alone computes nothing"):
            edgekc.make_report(tmp_path / "a.json", **more)
        with pytest.raises(UsageError, match="compared by what they cost"):
            edgekc.make_report(tmp_path / "a.json", tmp_path / "b.json", **more)


# ---- searches ----


def searched(folder: Path, **changes: Any) -> Path:
    """A search's folder with three candidates, made by hand."""
    folder.mkdir()
    layers = {"conv_0": "cluster4", "fc": "int8"}
    more = {"ram": 900, "cycles": None, "seconds": None, "accuracy": None, "weights": 3000}
    trials = [
        {"key": f"{i:016x}", "pareto": i < 2, "candidate": {"layers": layers, "keep": 1.0, "optimise": "speed",
         "ram": None, "epochs": i}, "figures": {"flash": flash, "loss": loss, **more}}
        for i, (flash, loss) in enumerate(((4000, 2.0), (5000, 0.5), (6000, 1.0)))
    ]  # fmt: skip
    trials.append({"key": "f" * 16, "pareto": False, "candidate": {"layers": {}}, "figures": None})
    budget = {"flash": 5500, "ram": None, "seconds": None, "loss": None}
    found = {"schema": 1, "name": "digits", "board": BOARD, "budget": budget, "met": True,
             "best": f"{1:016x}", "loss_unit": "points", "trials": trials, **changes}  # fmt: skip
    (folder / "pareto.json").write_text(json.dumps(found))
    return folder


@pytest.mark.fast
def test_a_search_has_its_front(tmp_path: Path) -> None:
    chart = search_chart(read_search(searched(tmp_path / "search")))
    assert "flash 5,500" in chart.lead and chart.pictures[0].count("<circle") == 3
    assert [row[1].plain for row in chart.sheets[0].rows] == ["", "chosen"]
    assert chart.sheets[0].rows[1][2].plain == "1 cluster4, 1 int8"


@pytest.mark.slow
def test_the_chosen_model_is_compiled(folder: Path, tmp_path: Path) -> None:
    need_device()
    found = searched(tmp_path / "search")
    (found / "best.ekc").write_bytes((folder / "digits.ekc").read_bytes())
    report = edgekc.make_report(found, verify=False, embed=False)
    assert [c.key for c in report.charts][:3] == ["front", "flash", "ram"]
    elsewhere = searched(tmp_path / "elsewhere", board="my-board")
    (elsewhere / "best.ekc").write_bytes((folder / "digits.ekc").read_bytes())
    alone = edgekc.make_report(elsewhere)
    assert [c.key for c in alone.charts] == ["front"] and "my-board" in alone.page.notes[0]
    with pytest.raises(UsageError, match="a search is not compared"):
        edgekc.make_report(folder, found)


# ---- bad input ----


@pytest.mark.fast
def test_bad_input_is_one_line_and_nothing_is_written(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "r.html"
    mine = tmp_path / "mine.html"
    mine.write_text("<!doctype html><p>mine")
    (tmp_path / "empty").mkdir()
    (tmp_path / "m.json").write_text("{}")
    cases = {
        "no manifest.json": (tmp_path / "empty", "-o", out),
        "not a measurement": (tmp_path / "m.json", "-o", out),
        "edgekc did not write it": (folder, "-o", mine),
        "No such file": (tmp_path / "none", "-o", out),
        "is a folder": (folder, "-o", tmp_path),
        "damaged (StopIteration": (searched(tmp_path / "s1", best="nobody"), "-o", out),
        "its schema is 2": (searched(tmp_path / "s2", schema=2), "-o", out),
        "damaged (": (searched(tmp_path / "s3", trials=[]), "-o", out),
        "none.npz": (folder, "-o", out, "--data", tmp_path / "none.npz", "--no-verify"),
        "is not float": (folder, "-o", out, "--float", MODEL, "--no-verify"),
    }
    for words, arguments in cases.items():
        said = complaint(call("report", *arguments))
        assert words in said, said
    assert not out.exists() and mine.read_text() == "<!doctype html><p>mine"


@pytest.mark.parametrize("change", [{"kind": "attic"}, {"last": 99}, {"first": 5, "last": 4}, {"offset": -1}])
def test_a_damaged_map_is_refused(folder: Path, tmp_path: Path, change: dict[str, Any]) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["arena"][0].update(change)
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    assert "damaged (key arena" in complaint(call("report", tmp_path, "-o", tmp_path / "r.html"))


@pytest.mark.slow
def test_a_wrong_byte_is_told(folder: Path, tmp_path: Path) -> None:
    """The report is written, says which byte, and the command fails."""
    need_device()
    wrong = tmp_path / "wrong"
    shutil.copytree(folder, wrong)
    source = wrong / "src" / "digits.c"
    source.write_text(source.read_text().replace(".act_max = 127", ".act_max = 0"))
    result = call("report", wrong, "-o", tmp_path / "r.html", "--samples", "4", "--no-network")
    assert result.code == 2 and "Proof: bytes differ (sample 1, layer" in result.out
    assert b"bytes differ" in (tmp_path / "r.html").read_bytes()


@pytest.mark.slow
def test_without_a_compiler_the_page_says_why(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    need_device()
    monkeypatch.setattr(toolchain, "_zig_command", lambda: None)
    found = edgekc.make_report(folder, verify=False)
    assert found.page.live is None and "zig is missing" in found.page.notes[0]
    assert "Not in this page" in parsed(found.html).titles


# ---- in a browser ----


# One second of a falling and a steady tone, in JavaScript; `of_sound` below has it in numpy.
SOUND = """Float32Array.from({length: 16000}, (_, i) =>
    0.5 * Math.sin(2 * Math.PI * (900 - i / 64) * i / 16000) + 0.2 * Math.sin(i / 3))"""


def of_sound() -> Any:
    """Mel-frequency cepstral coefficients (49, 10) of the sound."""
    i = np.arange(16000)
    x = (0.5 * np.sin(2 * np.pi * (900 - i / 64) * i / 16000) + 0.2 * np.sin(i / 3)).astype(np.float32)
    return cepstra(x / x.max())


@pytest.mark.slow
def test_the_page_runs_the_network(folder: Path, tmp_path: Path) -> None:
    """No error, no request, the definition's bytes, keys, drawing, and every width and colour."""
    need_device()
    try:
        toolchain.wasm_compiler()
    except ToolError as error:
        pytest.skip(str(error))
    path = tmp_path / "report.html"
    result = call("report", folder, "-o", path, "--data", TEST, "--count", "40", "--model", MODEL, "--json")
    found = json.loads(result.out)
    assert found["headlines"][-1]["value"] == "equal" and "flash" in found["charts"] and not found["notes"]
    assert path.stat().st_size < MOST_BYTES
    layers = edgekc.open_program(folder).manifest["layers"]
    with opened() as tab:
        for width, dark in ((1100, False), (1100, True), (400, False)):
            tab.look(width, 900, dark=dark)
            tab.open(path)
            tab.wait("!!document.querySelector('.check.good')")
            ground = tab.value("getComputedStyle(document.body).backgroundColor")
            assert ground == ("rgb(18, 23, 30)" if dark else "rgb(255, 255, 255)")
            assert tab.value("document.documentElement.scrollWidth") <= width
            assert len(tab.picture()) > 50_000
        # The bytes of the numpy definition, layer by layer as many as there are.
        assert tab.value("document.documentElement.dataset.layers") == str(len(layers))
        assert tab.value("document.documentElement.dataset.output") == tab.value(
            "JSON.parse(document.querySelector('#live-data').textContent).samples[0].sha256"
        )
        names = tab.value("[...document.querySelectorAll('select option')].map(o => o.textContent)")
        assert len(names) == 12 and names[0] == "sample 1, label 0"
        # Keys go from mark to mark, and Escape hides the hint.
        tab.value("document.querySelector('#flash svg').focus()")
        for key in ("ArrowRight", "ArrowRight"):
            tab.call("Input.dispatchKeyEvent", type="keyDown", key=key, code=key)
        assert "bytes" in tab.value("document.querySelector('#tip').textContent")
        assert tab.value("!document.querySelector('#tip').hidden")
        tab.call("Input.dispatchKeyEvent", type="keyDown", key="Escape", code="Escape")
        assert tab.value("document.querySelector('#tip').hidden")
        # A stroke of the pointer is what the network sees.
        tab.look(1100, 900)
        tab.value("document.querySelector('.controls button').click()")
        blank = tab.wait("document.documentElement.dataset.output")
        tab.value("document.querySelector('.pad').scrollIntoView({behavior: 'instant', block: 'center'})")
        tab.drawn()  # the pointer meets what was last drawn
        left, top, wide = tab.value(
            "(b => [b.left, b.top, b.width])(document.querySelector('.pad').getBoundingClientRect())"
        )
        x, y = left + wide / 2, top + 20
        tab.call("Input.dispatchMouseEvent", type="mousePressed", x=x, y=y, button="left", clickCount=1)
        for step in range(6):
            tab.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y + 25 * step, button="left", buttons=1)
        tab.call("Input.dispatchMouseEvent", type="mouseReleased", x=x, y=y + 125, button="left", clickCount=1)
        tab.wait(f"document.documentElement.dataset.output !== {json.dumps(blank)}")
        assert tab.value("document.querySelector('.answer span.best').textContent") == "1"
        before = tab.value("document.documentElement.dataset.theme || ''")
        tab.value("document.querySelector('#theme').click()")
        assert tab.value("document.documentElement.dataset.theme") == "dark" != before
        assert tab.printed().startswith(b"%PDF")
        heard = tab.value(f"(samples => [...cepstra({{samples, rate: 16000}}, 49, 10)])({SOUND})")
        assert np.allclose(np.reshape(heard, (49, 10)), of_sound(), atol=2e-2)
        assert tab.faults == []
        assert {url.partition("#")[0] for url in tab.requests} == {path.resolve().as_uri()}


@pytest.mark.fast
def test_the_reference_of_a_sample_is_its_own(folder: Path) -> None:
    """The hash that the page compares with comes from the definition, not from the module."""
    from hashlib import sha256

    from edgekc.api.offered import offered_samples

    program = edgekc.open_program(folder)
    first = offered_samples(program, None, 4)[2]
    x = np.frombuffer(first.data, np.int8).reshape(program.manifest["inputs"][0]["shape"])
    (wanted,) = reference.outputs(program.graph, [x])
    assert sha256(first.output).digest() == sha256(wanted.tobytes()).digest() and first.name == "a ramp"

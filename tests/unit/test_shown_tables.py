"""Every table at 80 and 120 columns, in a pipe and without colours: no line is too long, no word is broken or lost."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import shown_records
from cli_command import MODEL
from typer.main import get_command

import edgekc
from edgekc import tables
from edgekc.cli.main import app
from edgekc.compression import walk
from edgekc.compression.changes import Layer
from edgekc.compression.sizes import LayerSize
from edgekc.demo.walk import DATA
from edgekc.evaluate import Accuracy
from edgekc.measure.difference import Change
from edgekc.measure.report import ledger_parts
from edgekc.measure.which_boards import Fit, Needs
from edgekc.terminal import console, styled
from edgekc.train import comparison

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "models"
WIDTHS = (80, 120)


def compressed() -> list[tables.Part]:
    parts = {"codebook": 1_152, "indices": 12_288, "pair indices": 768, "centers": 32, "bias": 256}
    names = [f"features_{i}_conv" for i in range(3)]
    report = walk.Report(
        tuple(LayerSize(name, "clustered_conv2d", 36_864, 1_000_000, parts) for name in names),
        {names[0]: Layer("codebook 64, pairs 4 bits", 0.1234, None)},
        dict.fromkeys(names, 36_864),
        110_592,
        45_000,
        Accuracy(9_412, 10_000),
        Accuracy(9_385, 10_000),
        None,
    )
    return walk.shown_parts(report)


def learned() -> list[tables.Part]:
    variants = ("plain", "distillation", "hints first", "kp")
    runs = tuple(comparison.Run(v, s, 123_456, 65_432, 91.5 + s, 91.0 + s) for v in variants for s in range(3))
    return comparison.Comparison(2_345_678, Accuracy(9_412, 10_000), runs).parts()


def measured() -> list[tables.Part]:
    program = edgekc.compile(MODEL, board="nucleo-f446re", name="digits")
    try:
        costs = program.measure(samples=2)
    except edgekc.ToolError as error:
        pytest.skip(str(error))
    return [*costs.parts(), *ledger_parts(costs.measurement)]


def different() -> list[tables.Part]:
    changes = (Change("flash, layer depthwise_conv_13", 123_456, 123_400), Change("instructions", None, 12_345_678))
    return edgekc.Difference("a/long/folder/of/one/build", "a/long/folder/of/another/build", changes).parts()


def fitting() -> list[tables.Part]:
    needs = Needs(1_234_567, 345_678, 1_024)
    rows = [Fit(b.name, b.core.name, needs, 234_567 * (i % 2), 123_456) for i, b in enumerate(edgekc.list_boards())]
    return edgekc.Fits("a_model_with_a_long_name_int8.tflite", tuple(rows)).parts()


SHOWN: dict[str, Callable[[], Sequence[tables.Part]]] = {
    "bench": shown_records.benched,
    "boards": lambda: edgekc.list_boards().parts(),
    "boards BOARD": lambda: [part for board in edgekc.list_boards() for part in board.parts()],
    "build": shown_records.built,
    "check": lambda: edgekc.check(MODEL).parts(),
    "check-signature": shown_records.signed,
    "compile": lambda: edgekc.compile(MODEL, name="digits").parts(),
    "compress": compressed,
    "diff": different,
    "doctor": lambda: edgekc.check_tools().parts(),
    "evaluate": lambda: edgekc.compile(MODEL, name="digits").evaluate(DATA / "digits_test.npz").parts(),
    "export-onnx": lambda: edgekc.Exported("digits", b"ONNX", 12).parts(),
    "fit": fitting,
    "flash": lambda: edgekc.Flashed("nucleo-f446re", "openocd", 0x08000000, 123_456, True).parts(),
    "fuzz": shown_records.fuzzed,
    "graph": lambda: edgekc.draw_network(MODEL).parts(),
    "inject": shown_records.injected,
    "inspect": lambda: edgekc.inspect(EXAMPLES / "kws_dscnn.ekc").parts(),
    "inspect, large": lambda: edgekc.inspect(EXAMPLES / "resnet8_cifar10.ekc").parts(),
    "keygen": shown_records.made_keys,
    "load": lambda: edgekc.load(MODEL).parts(),
    "measure": measured,
    "mlperf": shown_records.benchmarked,
    "new-app": shown_records.project,
    "run": shown_records.ran,
    "search": shown_records.searched,
    "sign": shown_records.signed,
    "transfer": learned,
    "update": shown_records.updated,
    "verify": shown_records.verified,
}
# Commands that print no table, and what they print.
OTHERS = {
    "demo": "what compile, verify, evaluate and measure print",
    "report": "headlines of the page it writes",
    "simulate": "a line for each port",
    "worker": "a line at its end",
}


def shown(parts: Sequence[tables.Part], width: int | None, **options: object) -> str:
    file = io.StringIO()
    tables.show(parts, console(file=file, width=width, **options))
    return file.getvalue()


@pytest.mark.parametrize("name", SHOWN)
def test_no_word_is_broken_or_lost(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    parts = SHOWN[name]()
    whole = set(re.sub("[─-]{3,}", "", shown(parts, None)).split())
    assert whole
    for width in WIDTHS:
        text = shown(parts, width)
        assert max(map(len, text.splitlines())) <= width
        words = set(re.sub("[─-]{3,}", "", text).split())
        assert words == whole, sorted(words ^ whole)


def test_every_command_is_here() -> None:
    commands = set(get_command(app).commands)  # type: ignore[attr-defined]
    assert commands == commands & set(SHOWN) | set(OTHERS)


def test_a_path_that_is_longer_than_the_terminal_stays_whole() -> None:
    path = f"here/{'folder-' * 20}/out"
    for width in WIDTHS:
        text = shown([f"{path}: a few words that go on in the next line, and then some more, to fill it"], width)
        assert path in text and len(text.splitlines()) > 1


@pytest.mark.parametrize("name", ["measure", "doctor", "boards"])
def test_colours_can_be_switched_off(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = SHOWN[name]()
    monkeypatch.delenv("NO_COLOR", raising=False)
    terminal = {"force_terminal": True, "color_system": "standard"}
    coloured = shown(parts, 100, **terminal)
    monkeypatch.setenv("NO_COLOR", "1")
    plain = shown(parts, 100, **terminal)
    assert not re.search(r"\x1b\[[0-9;]*3[0-7]", plain)
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == re.sub(r"\x1b\[[0-9;]*m", "", plain)
    assert "\x1b" not in tables.text(parts)


def test_a_board_is_a_line_at_80_columns() -> None:
    boards = edgekc.list_boards()
    lines = shown(boards.parts(), 80).rstrip().splitlines()
    assert [line.split()[0] for line in lines[2:]] == [board.name for board in boards]


def test_a_table_that_fits_nowhere_is_split_and_repeats_its_names() -> None:
    sheet = tables.Sheet("wide", "layer", *(tables.number(f"kind{i}") for i in range(30)))
    sheet.add("conv_0", *(f"{i * 1_111:,}" for i in range(30)))
    lines = shown([sheet], 60).splitlines()
    assert sum(line.startswith("conv_0") for line in lines) == sum(line.startswith("layer") for line in lines) > 2
    assert "32,219" in shown([sheet], 60)


def test_a_name_that_fits_nowhere_keeps_both_ends() -> None:
    sheet = tables.Sheet("", "layer", tables.number("bytes"))
    sheet.add("StatefulPartitionedCall/model/block_13/depthwise/BatchNormV3/add_2", "1")
    text = shown([sheet], 40)
    assert re.search(r"^Stateful\S*…\S*/add_2 +1$", text, re.MULTILINE)
    assert "…" not in shown([sheet], 80)


def test_cells_of_several_lines_and_words() -> None:
    sheet = tables.Sheet("", "a", tables.words("b"))
    sheet.add("one", "some words that do not fit into twenty columns")
    sheet.rule()
    sheet.add(styled("all", "bold"))
    lines = shown([sheet], 20).splitlines()
    assert lines[0].split() == ["a", "b"]
    assert all(len(line) <= 20 for line in lines)
    assert " ".join(" ".join(lines[2:-3]).split()) == "one some words that do not fit into twenty columns"


@pytest.mark.parametrize(
    ("size_bytes", "text"), [(None, "-"), (128 << 10, "128Ki"), (2080 << 10, "2080Ki"), (4 << 20, "4Mi")]
)
def test_sizes_of_memories(size_bytes: int | None, text: str) -> None:
    assert tables.short_size(size_bytes) == text


def test_figures() -> None:
    assert (tables.size(1_234_567), tables.size(None), tables.size(None, "")) == ("1,234,567", "not known", "")
    assert tables.short_hash("0" * 64) == "0" * 16 + "..."

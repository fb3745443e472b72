"""The tables of README.md and docs/ are those of the project: operators, boards, figures, losses, times, the picture.

`python tests/unit/test_tables.py` writes them anew, and with `--demo` the report of `edgekc demo` too.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgekc.boards.board import list_boards, load_board
from edgekc.faults.kinds import KINDS as FAULTS
from edgekc.faults.records import BY
from edgekc.importers.tflite.handlers import HANDLERS
from edgekc.ops import IN_FLOAT, LOWER, OPS, SOURCES

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
DOCS = ROOT / "docs"
USING = DOCS / "using.md"
PICTURE = DOCS / "peers.svg"
# Operators whose name in the graph is not the file's name in lower case, without _2D.
KINDS = {
    "CONV_2D": "conv2d",
    "DEPTHWISE_CONV_2D": "depthwise",
    "CONCATENATION": "concat",
    "RESIZE_NEAREST_NEIGHBOR": "resize_nearest",
    "L2_NORMALIZATION": "l2_normalize",
    "UNIDIRECTIONAL_SEQUENCE_LSTM": "sequence_lstm",
    "SVDF": "memory_filters",
    "CUSTOM TFLite_Detection_PostProcess": "detection_postprocess",
}
KINDS |= {"RELU6": "relu", "RELU_N1_TO_1": "relu", "EXPAND_DIMS": "reshape", "SQUEEZE": "reshape", "PADV2": "pad"}
KINDS |= dict.fromkeys(("SLICE", "REVERSE_V2", "SPLIT", "SPLIT_V", "UNPACK"), "strided_slice")
KINDS |= dict.fromkeys(("LESS", "LESS_EQUAL", "EQUAL", "NOT_EQUAL", "GREATER", "GREATER_EQUAL"), "compare")
KINDS |= {
    "LOGICAL_AND": "minimum",
    "LOGICAL_OR": "maximum",
    "LOGICAL_NOT": "compare",
    "SELECT_V2": "select",
    "TOPK_V2": "top_k",
}
KINDS |= {"ONE_HOT": "lookup", "EMBEDDING_LOOKUP": "lookup"}
KINDS |= {"REDUCE_ANY": "reduce_max", "REDUCE_ALL": "reduce_min"}
KINDS |= {"GATHER": "take", "GATHER_ND": "take", "PACK": "concat", "CAST": "reshape"}
# Operators that no operator of ours is a lowering of.
REWRITTEN = {"DEQUANTIZE": "dropped at the outputs, which are then int8"}
NAMES = {
    "ic": "image classification, ResNet-8",
    "kws": "keyword spotting, DS-CNN",
    "vww": "visual wake words, MobileNetV1 0.25",
    "ad": "anomaly detection, autoencoder",
}
MODELS = {"ic": "IC ResNet-8", "kws": "KWS DS-CNN", "vww": "VWW MobileNetV1 0.25", "ad": "AD autoencoder"}
FIGURES = (
    "code and tables, bytes",
    "flash with weights, bytes",
    "arena, bytes",
    "arena, input and output, bytes",
    "peak stack, bytes",
    "instructions",
    "estimated cycles",
)
M55_FIGURES = ("flash with weights, bytes", "arena, bytes", "instructions", "estimated cycles")


def markdown(rows: list[tuple[str, ...]]) -> str:
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([lines[0], "|" + "---|" * len(rows[0]), *lines[1:]])


def operators() -> str:
    """One row an operator, with what TensorFlow Lite calls it."""
    files: dict[str, list[str]] = {name: [] for name in OPS}
    rewritten = []
    for builtin in HANDLERS:
        kind = KINDS.get(builtin, builtin.lower().removesuffix("_2d"))
        name = (SOURCES[kind].becomes or kind) if kind in LOWER else kind if kind in OPS and kind in IN_FLOAT else None
        if name is not None:
            files[name].append(f"`{builtin}`")
        else:
            rewritten.append((f"`{builtin}`", "", REWRITTEN.get(builtin, "rewritten to the others on import")))
    rows = [("TensorFlow Lite", "edgekc", "C kernels")]
    for op in OPS.values():
        needs: dict[str, list[str]] = {}
        for k in op.kernels:
            needs.setdefault(k.symbol, []).extend([" ".join(sorted(k.needs))] if k.needs else [])
        kernels = [f"`{symbol}`" + (f" ({' or '.join(words)})" if words else "") for symbol, words in needs.items()]
        rows.append((", ".join(files[op.name]), op.name, ", ".join(kernels)))
    return markdown([*rows, *rewritten])


def boards() -> str:
    rows = [("board", "core", "features", "flash", "RAM", "reached by", "note")]
    for name in list_boards():
        b = load_board(name)
        sizes = ("" if size is None else f"{size // 1024:,} KiB" for size in (b.flash_bytes, b.ram_bytes))
        rows.append((f"`{name}`", b.core.name, " ".join(sorted(b.features)), *sizes, ", ".join(b.reached), b.note))
    return markdown(rows)


def figures() -> str:
    """edgekc against the peer, from the committed results of benchmarks/tflm.py."""
    rows = [("edgekc / peer", *MODELS.values())]
    rows += _rows_of("tflm_m4.json", "mps2-an386", FIGURES)
    rows += [(f"Cortex-M55: {name}", *cells) for name, *cells in _rows_of("tflm_m55.json", "mps3-an547", M55_FIGURES)]
    return markdown(rows)


def compared() -> str:
    """The README's short table: flash, RAM, instructions and estimated cycles of each model, edgekc / peer."""
    found: dict[tuple[str, str], dict[str, Any]] = {
        (row["figure"], row["model"]): row for row in _result("tflm_m4.json")["boards"]["mps2-an386"]["rows"]
    }

    def cell(model: str, *figures: str) -> str:
        ours, peer = (sum(found[figure, model][side] for figure in figures) for side in ("ours", "peer"))
        return f"{ours:,} / {peer:,} = **{ours / peer:.2f}**"

    rows = [("model", "flash, bytes", "RAM, bytes", "instructions", "estimated cycles")]
    for model, name in NAMES.items():
        flash = cell(model, "flash with weights, bytes")
        ram = cell(model, "arena, input and output, bytes", "peak stack, bytes")
        rows.append((name, flash, ram, cell(model, "instructions"), cell(model, "estimated cycles")))
    return markdown(rows)


def others() -> str:
    """Other neighbours' figures in benchmarks/peers.json, under edgekc's for the same model and core."""
    found: dict[tuple[str, str], int] = {
        (row["figure"], row["model"]): row["ours"] for row in _result("tflm_m4.json")["boards"]["mps2-an386"]["rows"]
    }
    peers = json.loads((ROOT / "benchmarks" / "peers.json").read_text())["others"]
    rows = [("model", "by", "arithmetic", "instructions", "flash, bytes", "RAM, bytes", "note")]
    for model, name in MODELS.items():
        ram = found["arena, input and output, bytes", model] + found["peak stack, bytes", model]
        sizes = found["instructions", model], found["flash with weights, bytes", model], ram
        rows.append((name, "edgekc", "int8", *(f"{size:,}" for size in sizes), ""))
        for p in peers:
            if p["model"] == model:
                sizes = (p[key] for key in ("instructions", "flash_bytes", "ram_bytes"))
                cells = ("not noted" if size is None else f"{size:,}" for size in sizes)
                rows.append((name, p["name"], p["arithmetic"], *cells, p["note"]))
    return markdown(rows)


def _rows_of(file: str, board: str, figures: tuple[str, ...]) -> list[tuple[str, ...]]:
    found: dict[tuple[str, str], dict[str, Any]] = {
        (row["figure"], row["model"]): row for row in _result(file)["boards"][board]["rows"]
    }
    rows: list[tuple[str, ...]] = []
    for figure in figures:
        cells = (found[figure, model] for model in MODELS)
        rows.append((figure, *(f"{c['ours']:,} / {c['peer']:,} = **{c['ratio']:.2f}**" for c in cells)))
    return rows


def costs(section: str) -> Callable[[], str]:
    """A table of benchmarks/costs.py, from its committed results."""
    return lambda: str(_benchmark("cost_tables").tables(_result("costs.json"))[section])


def losses() -> str:
    """Each packed model beside the dense int8 one, from the committed results of benchmarks/losses.py."""
    rows = [("on a Cortex-M4", "flash, bytes", "RAM, bytes", "instructions", "right", "points lost to float, 95 %")]
    for r in _result("losses.json")["rows"]:
        linked = r["linked"]
        sizes = (f"{linked[key]:,}" for key in ("flash_bytes", "ram_bytes", "instructions"))
        right = f"{r['right']:,} of {r['samples']:,}"
        rows.append((f"{r['model']}, {r['form']}", *sizes, right, f"{r['points_lost']:.2f} ± {r['half_width']:.2f}"))
    return markdown(rows)


def wide() -> str:
    """Activations of int16 beside int8, from the committed results of benchmarks/wide.py."""
    found = {(r["model"], r["board"], r["activations"]): r for r in _result("wide.json")["rows"]}
    figures = {"instructions": "instructions", "estimated cycles": "estimated_cycles", "arena, bytes": "arena_bytes"}
    rows: list[tuple[str, ...]] = [("16x8 / int8", *MODELS.values())]
    for core, board in (("Cortex-M4", "mps2-an386"), ("Cortex-M55", "mps3-an547")):
        for name, key in figures.items():
            pairs = [[found[m, board, kind][key] for kind in ("int16", "int8")] for m in MODELS]
            rows.append((f"{core}: {name}", *(f"{a:,} / {b:,} = **{a / b:.2f}**" for a, b in pairs)))
    return markdown(rows)


def litert() -> str:
    """Times beside LiteRT's, from the committed results of benchmarks/litert.py."""
    rows = [("µs of one inference, edgekc / LiteRT", "wall", "processor")]
    for r in _result("litert.json")["models"]:
        wall, cpu = (
            f"{r[f'edgekc_{u}us']:,.1f} / {r[f'litert_{u}us']:,.1f} = {r[f'edgekc_{u}us'] / r[f'litert_{u}us']:.2f}"
            for u in ("", "cpu_")
        )
        rows.append((r["model"], wall, cpu))
    return markdown(rows)


def _result(file: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((ROOT / "benchmarks" / "results" / file).read_text())
    return found


def block(text: str, name: str) -> re.Match[str]:
    found = re.search(rf"(?<=<!-- {name} -->\n).*?(?=<!-- end -->)", text, re.DOTALL)
    assert found is not None, f"there is no <!-- {name} --> ... <!-- end -->"
    return found


def with_block(text: str, name: str, content: str) -> str:
    found = block(text, name)
    return f"{text[: found.start()]}\n{content}\n\n{text[found.end() :]}"


def networks() -> str:
    """Networks by source, as benchmarks/hundred_networks.py counts its committed results."""
    counted: str = _benchmark("hundred_networks").table(_result("hundred_networks.json"))
    return counted


def mutants() -> str:
    """Planted bugs and how fast `edgekc fuzz` found each, from the committed results of benchmarks/fuzz_mutants.py."""
    rows = [("changed", "so that", "found by", "networks", "seconds", "layers left")]
    for r in _result("fuzz_mutants.json")["mutants"]:
        seconds = f"{r['seconds']:.1f}" if r["found"] else "not found"
        rows.append((r["file"].rpartition("/")[2], r["what"], r["side"], str(r["networks"]), seconds, str(r["layers"])))
    return markdown(rows)


def faults() -> str:
    """Injected faults by kind and core, over the networks, from the committed results of benchmarks/faults.py."""
    results = _result("faults.json")
    rows = [("fault", "what happens", "core", "injected", "detected", "harmless", "wrong in silence")]
    plain = {name: FAULTS[name].what.replace(", or of their copies,", "") for name in ("weights", "tables")}
    cases = [("unchecked", name, f"{what}; without a check") for name, what in plain.items()]
    cases += [("checked", name, kind.what) for name, kind in FAULTS.items() if kind.needs != "state"]
    for form, kind, what in cases:
        for core in results["boards"]:
            found = [network[core][form][kind] for network in results["networks"].values()]
            total = {key: sum(row[key] for row in found) for key in ("injected", "harmless", "wrong")}
            by = {word: sum(row["detected"].get(key, 0) for row in found) for key, word in BY.items()}
            detected = ", ".join(f"{word} {n:,}" for word, n in by.items() if n) or "none"
            share = f" ({total['wrong'] / total['injected']:.0%})" if total["wrong"] else ""
            cells = (f"{total['injected']:,}", detected, f"{total['harmless']:,}", f"{total['wrong']:,}{share}")
            rows.append((f"`{kind}`", what, core, *cells))
    return markdown(rows)


# Page to its tables, each by the marker that it stands under.
TABLES = {
    README: {"compared": compared},
    DOCS / "operators.md": {"operators": operators},
    DOCS / "boards.md": {"boards": boards},
    DOCS / "figures.md": {
        "figures": figures,
        "losses": losses,
        "networks": networks,
        "wide": wide,
        "cycles": costs("cycles"),
        "flash": costs("flash"),
    },
    DOCS / "comparison.md": {"others": others},
    DOCS / "ram.md": {"ram": costs("ram")},
    DOCS / "measuring.md": {"litert": litert},
    DOCS / "fuzzing.md": {"mutants": mutants},
    DOCS / "trust.md": {"faults": faults},
}


def with_tables(page: Path) -> str:
    text = page.read_text(encoding="utf-8")
    for name, content in TABLES[page].items():
        text = with_block(text, name, content())
    return text


def picture() -> str:
    """The README's picture, as benchmarks/peer_chart.py draws it from the committed results."""
    drawn: str = _benchmark("peer_chart").picture()
    return drawn


def _benchmark(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(name, ROOT / "benchmarks" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def demo_report() -> str:
    with tempfile.TemporaryDirectory() as folder:
        # README's command brings no LiteRT.
        program = "import sys; sys.modules['ai_edge_litert'] = None; from edgekc.cli.main import run; run()"
        environment = {**os.environ, "COLUMNS": "100", "PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            [sys.executable, "-c", program, "demo"], cwd=folder, env=environment, capture_output=True, text=True,
            check=True,
        )  # fmt: skip
    lines = [line.rstrip() for line in done.stdout.splitlines()]
    text = re.sub(r"\n{2,}", "\n\n", "\n".join(lines)).strip()
    return f"```text\n{text}\n```"


@pytest.mark.parametrize("page", TABLES, ids=lambda page: page.stem)
def test_docs_tables_are_current(page: Path) -> None:
    assert with_tables(page) == page.read_text(encoding="utf-8"), "run: python tests/unit/test_tables.py"


def test_a_hundred_networks_are_right() -> None:
    found = [row["verdict"] for row in _result("hundred_networks.json")["networks"]]
    assert found.count("right") >= 100 and "wrong" not in found


def test_results_name_no_folder_of_a_machine() -> None:
    for path in sorted((ROOT / "benchmarks" / "results").iterdir()):
        assert re.findall(r"/(?:tmp|home|root|work)/\S*", path.read_text()) == [], path.name


def test_planted_bugs_were_found() -> None:
    assert sum(row["found"] for row in _result("fuzz_mutants.json")["mutants"]) >= 20


def test_checks_keep_what_they_promise() -> None:
    """Of what was injected for docs/trust.md."""
    for cores in _result("faults.json")["networks"].values():
        for found in cores.values():
            for kind, by in (("weights", "check"), ("tables", "check"), ("late-tables", "status"), ("stack", "stack"),
                             ("alignment", "status")):  # fmt: skip
                assert found["checked"][kind]["detected"] == {by: found["checked"][kind]["injected"]}, kind
            for kind in ("arena", "brown-out", "reset"):
                assert found["checked"][kind]["harmless"] == found["checked"][kind]["injected"] > 0, kind


def test_readme_picture_is_current() -> None:
    assert PICTURE.read_text(encoding="utf-8") == picture(), "run: python benchmarks/peer_chart.py"


def test_docs_losses_of_packed_models_are_those_measured() -> None:
    """The table of models has them by hand, beside what only a training run knows."""
    text = (DOCS / "figures.md").read_text(encoding="utf-8")
    for r in _result("losses.json")["rows"]:
        if r["form"] == "packed":
            lost = f"{r['points_lost']:.2f} ± {r['half_width']:.2f}"
            percent = (100 * r[key] / r["samples"] for key in ("float_right", "right"))
            assert " | ".join([*(f"{p:.2f} %" for p in percent), lost]) in text, r["model"]


def test_docs_rounded_figures_are_those_measured() -> None:
    """Sentences that round a figure of a results file say the number that is there."""
    dense, packed = (r["linked"] for r in _result("losses.json")["rows"] if r["model"] == "ResNet-8")
    sizes = {key: tuple(round(r[key] / 1000) for r in (packed, dense)) for key in ("flash_bytes", "ram_bytes")}
    share = packed["instructions"] / dense["instructions"]
    readme = " ".join(README.read_text(encoding="utf-8").split())
    flash, ram = (
        f"{n[0]} KB of {w} instead of {n[1]} KB"
        for n, w in ((sizes["flash_bytes"], "flash"), (sizes["ram_bytes"], "RAM"))
    )
    assert flash in readme and ram in readme and f"{share:.2f} of the instructions" in readme
    (lost,) = (r for r in _result("losses.json")["rows"] if (r["model"], r["form"]) == ("ResNet-8", "packed"))
    assert f"loses {lost['points_lost']:.2f} ± {lost['half_width']:.2f} points on the images that chose" in readme
    zero = "82.8 % of its weights are zero"
    assert zero in readme and zero in " ".join((DOCS / "figures.md").read_text(encoding="utf-8").split())


if __name__ == "__main__":
    for page in TABLES:
        page.write_text(with_tables(page), encoding="utf-8")
    PICTURE.write_text(picture(), encoding="utf-8")
    if "--demo" in sys.argv:
        USING.write_text(with_block(USING.read_text(encoding="utf-8"), "output: demo", demo_report()), encoding="utf-8")

"""Draws docs/peers.svg, the picture of the README, from the committed results of benchmarks/tflm.py.

    python benchmarks/peer_chart.py

Two panels for the Cortex-M4: flash with weights, and estimated cycles of one inference. Each model has a bar of edgekc
and one of TensorFlow Lite Micro with CMSIS-NN. Each axis starts at 0 and is linear. tests/unit/test_tables.py compares
the picture with what this draws.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results" / "tflm_m4.json"
PICTURE = HERE.parent / "docs" / "peers.svg"
BOARD = "mps2-an386"

MODELS = {"ic": "ResNet-8", "kws": "DS-CNN", "vww": "MobileNetV1", "ad": "autoencoder"}
TASKS = {"ic": "images", "kws": "keywords", "vww": "persons", "ad": "anomalies"}
OURS, PEER, INK, QUIET = "#0f766e", "#cbd5e1", "#1f2937", "#6b7280"

# Layout, in pixels of the picture.
WIDTH, HEIGHT = 840, 336
PANEL_X = (112, 496)  # where the bars of each panel start
BAR_LENGTH = 226  # of the longest bar of a panel
TOP, ROW, BAR = 92, 54, 17


def kilobytes(value: int) -> str:
    return f"{value / 1000:,.0f} KB"


def millions(value: int) -> str:
    return f"{value / 1e6:,.1f} M"


def text(
    x: float, y: float, words: str, *, size: int = 13, fill: str = INK, end: bool = False, bold: bool = False
) -> str:
    anchor = ' text-anchor="end"' if end else ""
    weight = ' font-weight="600"' if bold else ""
    return f'<text x="{x:g}" y="{y:g}" font-size="{size}" fill="{fill}"{anchor}{weight}>{words}</text>'


def bar(x: float, y: float, length: float, fill: str) -> str:
    return f'<rect x="{x:g}" y="{y:g}" width="{length:.1f}" height="{BAR}" rx="2" fill="{fill}"/>'


def panel(x: int, title: str, rows: dict[str, dict[str, Any]], unit: Callable[[int], str]) -> list[str]:
    """One bar of edgekc and one of the peer for each model, with the value at the end of each."""
    drawn = [text(x, TOP - 18, title, size=14, bold=True)]
    longest = max(row["peer"] for row in rows.values())
    for number, (_, row) in enumerate(rows.items()):
        y = TOP + number * ROW
        for offset, key, fill in ((0, "ours", OURS), (BAR + 2, "peer", PEER)):
            length = BAR_LENGTH * row[key] / longest
            words = unit(row[key]) + (f" ({row['ratio']:.2f})" if key == "ours" else "")
            drawn.append(bar(x, y + offset, length, fill))
            drawn.append(text(x + length + 6, y + offset + 13, words, size=12, bold=key == "ours"))
    return drawn


def picture() -> str:
    """The whole SVG; numbers come from the results file alone."""
    rows = json.loads(RESULTS.read_text(encoding="utf-8"))["boards"][BOARD]["rows"]
    found = {(row["figure"], row["model"]): row for row in rows}
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        'role="img" font-family="system-ui, -apple-system, Segoe UI, Helvetica, Arial, sans-serif">',
        "<title>edgekc beside TensorFlow Lite Micro with CMSIS-NN on a Cortex-M4: flash and estimated cycles</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
        bar(16, 18, 17, OURS),
        text(40, 31, "edgekc", bold=True),
        bar(110, 18, 17, PEER),
        text(134, 31, "TensorFlow Lite Micro with CMSIS-NN"),
        text(WIDTH - 16, 31, "Cortex-M4, int8, shorter is better", fill=QUIET, end=True),
    ]
    for number, model in enumerate(MODELS):
        y = TOP + number * ROW
        parts.append(text(PANEL_X[0] - 10, y + 14, TASKS[model], end=True, bold=True))
        parts.append(text(PANEL_X[0] - 10, y + 31, MODELS[model], size=12, fill=QUIET, end=True))
    panels: tuple[tuple[str, str, Callable[[int], str]], ...] = (
        ("Flash: code, tables and weights", "flash with weights, bytes", kilobytes),
        ("Estimated cycles of one inference", "estimated cycles", millions),
    )
    for x, (title, figure, unit) in zip(PANEL_X, panels, strict=True):
        parts += panel(x, title, {model: found[figure, model] for model in MODELS}, unit)
    note = "Cycles: code that ran under an emulator, by published timing; not time. In brackets: edgekc / peer."
    parts += [text(16, HEIGHT - 14, note, size=12, fill=QUIET), "</svg>"]
    return "\n".join(parts) + "\n"


if __name__ == "__main__":
    PICTURE.write_text(picture(), encoding="utf-8")

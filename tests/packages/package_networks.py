"""Three networks for packages: by array and file, with a state, and with tensors of two types, off alignment."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest

import edgekc
from edgekc.demo.walk import DATA
from edgekc.graph.ir import AttrValue, Node, Quant, Role, Tensor, constant
from edgekc.graph.op import View

DIGITS = DATA / "digits_int8.tflite"
KINDS = ("digits", "wake_2", "mixed")
DEBIAN_CRATES = Path("/usr/share/cargo/registry")  # of the package librust-cc-dev
_WRITER = "the writer of .tflite files needs the package tflite"


@cache
def _files(name: str, board: str, folder: Path) -> dict[str, bytes]:
    path = folder / f"{name}.tflite"
    path.write_bytes(_model(name))
    embed = "file" if name == "wake_2" else "array"
    return dict(edgekc.compile(path, board=board, name=name, allow_float=True, embed=embed).files)


def files(name: str, folder: Path, board: str = "rpi-pico") -> dict[str, bytes]:
    """The output folder of one of `KINDS`."""
    return _files(name, board, folder)


def crates_of_this_machine(folder: Path) -> None:
    """Below `folder`, cargo takes the crates that Debian installed, where there are any, and asks no registry."""
    if DEBIAN_CRATES.is_dir():
        (folder / ".cargo").mkdir(exist_ok=True)
        (folder / ".cargo" / "config.toml").write_text(
            f'[source.crates-io]\nreplace-with = "debian"\n[source.debian]\ndirectory = "{DEBIAN_CRATES}"\n'
        )


def _model(name: str) -> bytes:
    if name == "wake_2":
        return bytes(pytest.importorskip("streaming", reason=_WRITER).wake_word().file)
    return _mixed() if name == "mixed" else DIGITS.read_bytes()


def _mixed() -> bytes:
    """int8 (1, 3) and float32 (1, 5), which so begins at byte 3; their outputs are of both types too."""
    oracle = pytest.importorskip("oracle", reason=_WRITER)
    few, scores = _int8("few", (1, 3), 0.0625, 3), _int8("scores", (1, 7), 0.125, -4)
    rng = np.random.default_rng(0)
    weights = constant("w", rng.integers(-127, 128, (7, 3)).astype(np.int8), Role.WEIGHTS, Quant((0.03125,), (0,)))
    bias = constant("b", rng.integers(-99, 99, 7).astype(np.int32), Role.BIAS, Quant((0.0625 * 0.03125,), (0,)))
    real, y = Tensor("real", (1, 5), "float32"), Tensor("y", (1, 5), "float32")
    views = [
        _view("fully_connected", [few, weights, bias], scores, activation="none"),
        _view("softmax", [real], y, beta=1.0),
    ]
    return bytes(oracle.network(views, ["few", "real"], ["scores", "y"]))


def _int8(name: str, shape: tuple[int, ...], scale: float, zero: int) -> Tensor:
    return Tensor(name, shape, "int8", Quant((scale,), (zero,)))


def _view(op: str, inputs: list[Tensor], out: Tensor, **attrs: AttrValue) -> View:
    return View(Node(op, out.name, tuple(t.name for t in inputs), (out.name,), attrs), tuple(inputs), (out,))

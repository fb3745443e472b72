"""Small networks of Keras, PyTorch and ONNX: imported, quantised, compiled, and the C run on this machine.

    python benchmarks/hundred_networks.py              # all, some minutes: the results, as JSON and as CSV
    python benchmarks/hundred_networks.py --only unet  # those with this word in their names; nothing is written

All have random weights. Keras networks are int8 files of TensorFlow's converter: the C must equal LiteRT's reference
kernels byte for byte. PyTorch's and ONNX's are float, and are quantised on 256 samples. The C must equal the numpy
definition byte for byte. On 24 other samples its outputs must have 30 dB or more against those of PyTorch, or as many
as onnxruntime's static quantisation of the same network on the same samples. Needs a checkout, a host compiler, and the
packages tensorflow, torch, onnx, onnxruntime and ai-edge-litert.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import io
import json
import logging
import os
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, fields, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / room) for room in ("tests", "tests/importers", ".")]

import numpy as np  # noqa: E402

import edgekc  # noqa: E402
from edgekc.graph.ir import Array  # noqa: E402

RESULTS = ROOT / "benchmarks" / "results" / "hundred_networks.json"
BOARD = "linux-aarch64"  # of no limited memory
ENOUGH_DB = 30.0
PACKAGES = ("ai-edge-litert", "keras", "onnx", "onnxruntime", "tensorflow", "torch")
VERDICTS = ("right", "taken", "coarse", "wrong", "refused")


@dataclass(frozen=True, slots=True)
class Row:
    """What became of a network.

    Attributes:
        form: the file that was read.
        verdict: `right`; `taken`: the C equals the numpy definition, but LiteRT has no reference kernel of some
            operator; `coarse`: it equals that too, but has less than 30 dB, and less than onnxruntime; `wrong`: some
            byte of the C differs, or the outputs are no likeness of PyTorch's; `refused`: `why` says at what.
        sqnr_db: the C's outputs against PyTorch's float ones. None of a network that came in int8.
        onnxruntime_db: the same of onnxruntime's static int8 quantisation. None where it has no form of the network.
        layers: of the compiled network.
    """

    name: str
    source: str
    form: str
    verdict: str = "right"
    why: str = ""
    sqnr_db: float | None = None
    onnxruntime_db: float | None = None
    layers: int = 0
    arena_bytes: int = 0
    ekc_bytes: int = 0
    seconds: float = 0.0


Network = tuple[Row, Callable[[Row, Path], Row]]


def networks() -> Iterator[Network]:
    """Each network, and what tries it in a folder."""
    from keras_networks import NETWORKS
    from torch_nets import NETS
    from torch_zoo import ZOO
    from twin_nets import TWINS

    for name in NETWORKS:
        yield Row(name, "Keras", "int8 .tflite"), _keras
    for name, (make, shape) in NETS.items():
        yield Row(name, "PyTorch", ".pt2"), _float(make, shape)
    for place, (name, (make, shape)) in enumerate(ZOO.items()):
        form = (("PyTorch", ".pt2"), ("ONNX", ".onnx"))[place % 2]
        yield Row(name, *form), _float(make, shape)
    for name, twin in TWINS.items():
        yield Row(f"{name} (twin)", "ONNX", ".onnx"), _float(twin.module, twin.shape)


def _keras(row: Row, folder: Path) -> Row:
    from keras_networks import converted

    path = folder / "net.tflite"
    path.write_bytes(converted(row.name))
    program = edgekc.compile(path, board=BOARD)
    found = program.verify(device=False)
    row = _sized(row, program)
    if not found.ok:
        return replace(row, verdict="wrong", why=found.difference)
    if not any("LiteRT" in oracle for oracle in found.oracles):
        return replace(row, verdict="taken", why="; ".join(found.notes))
    return row


def _float(make: Callable[[], Any], shape: tuple[int, ...]) -> Callable[[Row, Path], Row]:
    """What tries a torch module, whose samples have this shape, channels first."""

    def attempt(row: Row, folder: Path) -> Row:
        import torch
        from torch_nets import levelled, lively, sqnr

        torch.manual_seed(3)
        module = lively(make())
        rng = np.random.default_rng(1)
        calibration, test = (levelled(rng, count, shape) for count in (256, 24))
        onnx, pt2 = folder / "net.onnx", folder / "net.pt2"
        x = torch.from_numpy(test[:1])
        torch.onnx.export(module, (x,), str(onnx), dynamo=False, opset_version=17)
        torch.export.save(torch.export.export(module, (x,)), pt2)
        with torch.no_grad():
            want = np.concatenate([module(torch.from_numpy(test[i : i + 1])).numpy() for i in range(len(test))])
        theirs = _onnxruntime(onnx, folder, calibration, test)
        row = replace(row, onnxruntime_db=None if theirs is None else round(sqnr(theirs, want), 1))

        path = pt2 if row.form == ".pt2" else onnx
        model = edgekc.load(path)
        packed = edgekc.compress(model, data=_laid_out(model, calibration))
        program = edgekc.compile(packed, board=BOARD)
        found = program.verify(device=False)
        row = _sized(row, program)
        if not found.ok:
            return replace(row, verdict="wrong", why=found.difference)
        got = _like(np.asarray(program.run(_laid_out(model, test))), want)
        row = replace(row, sqnr_db=round(sqnr(got, want), 1))
        assert row.sqnr_db is not None
        if row.sqnr_db < 10:
            return replace(row, verdict="wrong", why=f"{row.sqnr_db} dB")
        near = row.sqnr_db >= min(ENOUGH_DB, row.onnxruntime_db or ENOUGH_DB)
        return row if near else replace(row, verdict="coarse", why=f"{row.sqnr_db} dB")

    return attempt


def _laid_out(model: Any, x: Array) -> Array:
    """Samples in the layout of the graph's input: images and rows have channels last."""
    shape = model.graph.tensors[model.graph.inputs[0]].shape[1:]
    return np.ascontiguousarray(x if x.shape[1:] == shape else np.moveaxis(x, 1, -1))


def _like(got: Array, want: Array) -> Array:
    """Outputs as PyTorch has them: of the two layouts that which is nearer, where the shapes are no help."""
    forms = [got.reshape(want.shape)]
    if want.ndim > 2:
        last = (want.shape[0], *want.shape[2:], want.shape[1])
        forms.append(np.moveaxis(got.reshape(last), -1, 1))
    return min(forms, key=lambda form: float(np.square(form - want).sum()))


def _onnxruntime(path: Path, folder: Path, calibration: Array, test: Array) -> Array | None:
    """Outputs of the network in onnxruntime's own static quantisation; None where it cannot."""
    import onnxruntime as ort
    from onnxruntime import quantization as q

    class Reader(q.CalibrationDataReader):  # type: ignore[misc]
        def __init__(self, name: str) -> None:
            self.left = iter([{name: x[None]} for x in calibration])

        def get_next(self) -> dict[str, Array] | None:
            return next(self.left, None)

    prepared, made = folder / "prepared.onnx", folder / "quantised.onnx"
    try:
        q.quant_pre_process(str(path), str(prepared), skip_symbolic_shape=True)
        name = ort.InferenceSession(str(prepared), providers=["CPUExecutionProvider"]).get_inputs()[0].name
        q.quantize_static(
            str(prepared), str(made), Reader(name), quant_format=q.QuantFormat.QDQ, per_channel=True,
            activation_type=q.QuantType.QInt8, weight_type=q.QuantType.QInt8,
        )  # fmt: skip
        session = ort.InferenceSession(str(made), providers=["CPUExecutionProvider"])
        return np.concatenate([session.run(None, {name: x[None]})[0] for x in test])
    except Exception as error:  # what it has no form of is no matter of ours
        print(f"  onnxruntime: {type(error).__name__}: {str(error)[:100]}", file=sys.stderr)
        return None


def _sized(row: Row, program: Any) -> Row:
    m = program.manifest
    return replace(row, layers=len(m["layers"]), arena_bytes=m["arena_bytes"], ekc_bytes=m["ekc_bytes"])


def attempt(row: Row, way: Callable[[Row, Path], Row]) -> Row:
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        try:
            row = way(row, Path(folder))
        except edgekc.EdgekcError as error:
            row = replace(row, verdict="refused", why=" ".join(str(error).replace(f"{folder}/", "").split()))
        except Exception as error:  # a fault of edgekc's own, which no count may hide
            row = replace(row, verdict="wrong", why=f"{type(error).__name__}: {' '.join(str(error).split())[:200]}")
    return replace(row, seconds=round(time.perf_counter() - start, 1))


def table(results: dict[str, Any]) -> str:
    """The results by source and form, as docs/figures.md shows them."""
    rows = [Row(**row) for row in results["networks"]]
    heads = ("networks", "all", *VERDICTS, "dB, least", "dB, median", "onnxruntime's, median")
    lines = [f"| {' | '.join(heads)} |", f"|---|{'--:|' * (len(heads) - 1)}"]
    for source, form in dict.fromkeys((r.source, r.form) for r in rows):
        of = [r for r in rows if (r.source, r.form) == (source, form)]
        ours = [r.sqnr_db for r in of if r.sqnr_db is not None]
        theirs = [r.onnxruntime_db for r in of if r.onnxruntime_db is not None]
        counts = (str(sum(r.verdict == v for r in of)) for v in VERDICTS)
        decibels = (f"{f(found):.1f}" if found else "" for f, found in
                    ((min, ours), (statistics.median, ours), (statistics.median, theirs)))  # fmt: skip
        lines.append(f"| {source}, {form} | {len(of)} | {' | '.join((*counts, *decibels))} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", metavar="WORD", help="networks whose name, source or form has it")
    given = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    rows = []
    for row, way in networks():
        if given.only and given.only not in " ".join((row.name, row.source, row.form)):
            continue
        rows.append(attempt(row, way))
        r = rows[-1]
        print(f"{r.verdict:8} {r.form:13} {r.name:24} {r.sqnr_db or '':>5} {r.onnxruntime_db or '':>5} {r.why[:200]}",
              flush=True)  # fmt: skip
    results = {
        "command": "python benchmarks/hundred_networks.py",
        "packages": {package: version(package) for package in PACKAGES},
        "networks": [asdict(row) for row in rows],
    }
    print(table(results))
    if given.only:
        return
    RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    with RESULTS.with_suffix(".csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [f.name for f in fields(Row)], lineterminator="\n")
        writer.writeheader()
        writer.writerows(results["networks"])


if __name__ == "__main__":
    main()

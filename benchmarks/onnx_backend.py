"""The `onnx` package's own backend tests, float and CNN-typed, through the ONNX importer and the float reference.

    python benchmarks/onnx_backend.py              # the table, and benchmarks/results/onnx_backend.json
    python benchmarks/onnx_backend.py --only Resize --why

Cases are those whose inputs and outputs are dense tensors of at most five dimensions, float32 but for integers that
state shapes, axes and indices; operators that a case writes out as a function are left out. Such integers, and float
inputs that are weights or parameters, are fed as constants where the importer takes the case in no other way: the
backend tests have no constants at all. A case with a batch is run sample by sample where onnx's own evaluator, run so,
computes what the case expects; a graph that mixes the samples of a batch is refused. Where a case expects NaN, nothing
is compared.
"""

from __future__ import annotations

import argparse
import collections
import itertools
import json
import sys
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import onnx
from onnx import numpy_helper
from onnx.backend.test.loader import load_model_tests
from onnx.reference import ReferenceEvaluator

from edgekc.errors import EdgekcError
from edgekc.graph.ir import Array
from edgekc.importers.onnx.importer import import_onnx
from edgekc.quantize import float_reference

RESULTS = Path(__file__).resolve().parent / "results" / "onnx_backend.json"
KINDS = ("node", "pytorch-converted", "pytorch-operator")
FLOAT, INTEGERS = onnx.TensorProto.FLOAT, (onnx.TensorProto.INT64, onnx.TensorProto.INT32)


@dataclass(frozen=True, slots=True)
class Case:
    name: str
    model: Any
    inputs: dict[str, Array]
    outputs: list[Array]
    rtol: float
    atol: float

    @property
    def operators(self) -> list[str]:
        return sorted({node.op_type for node in self.model.graph.node} - {"Constant"})


def cases(kind: str) -> list[Case]:
    """The cases of one kind that are CNN-typed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = load_model_tests(kind=kind)
    return [case for test in found if "_expanded" not in test.name and (case := _case(test)) is not None]


def _case(test: Any) -> Case | None:
    model, sets = test.model, test.data_sets
    if model is None:
        folder = Path(test.model_dir)
        model = onnx.load(str(folder / "model.onnx"))
        sets = [
            [[_tensor(path) for path in sorted(data.glob(f"{way}_*.pb"), key=_number)] for way in ("input", "output")]
            for data in sorted(folder.glob("test_data_set_*"))
        ]
    values = (*model.graph.input, *model.graph.output)
    if not sets or any(v.type.WhichOneof("value") != "tensor_type" for v in values):
        return None
    if any(o.domain not in ("", "ai.onnx") for o in model.opset_import):
        return None
    inputs, outputs = sets[0]
    names = [v.name for v in model.graph.input]
    given = {n: np.asarray(x) for n, x in zip(names, inputs, strict=False)}
    results = [np.asarray(x) for x in outputs]
    floats = [x for x in given.values() if x.dtype == np.float32]
    typed = all(x.dtype in (np.float32, np.int64, np.int32) for x in given.values())
    if not floats or not typed or not all(x.dtype == np.float32 for x in results):
        return None
    if any(x.ndim > 5 or 0 in x.shape for x in (*floats, *results)):
        return None
    return Case(test.name, model, given, results, test.rtol, test.atol)


def _number(path: Path) -> int:
    return int(path.stem.split("_")[1])


def _tensor(path: Path) -> Array:
    proto = onnx.TensorProto()
    proto.ParseFromString(path.read_bytes())
    return numpy_helper.to_array(proto)


def variant(case: Case, activations: tuple[str, ...], batch: int) -> Any:
    """The case's model with all other inputs as constants; with a batch, that many leading sizes made one."""
    model = onnx.ModelProto()
    model.CopyFrom(case.model)
    model.ir_version = max(model.ir_version, 4)  # before it, constants had to be inputs as well
    graph = model.graph
    for name, data in case.inputs.items():
        if name not in activations and name not in {t.name for t in graph.initializer}:
            graph.initializer.append(numpy_helper.from_array(data, name))
    kept = [v for v in graph.input if v.name in activations]
    if batch > 1:
        for value in kept:
            dims = value.type.tensor_type.shape.dim
            if dims and case.inputs[value.name].shape[0] == batch:
                dims[0].dim_value = 1
        del graph.value_info[:]
        for value in graph.output:
            value.type.tensor_type.shape.Clear()
    del graph.input[:]
    graph.input.extend(kept)
    return model


def nhwc(x: Array) -> Array:
    return np.ascontiguousarray(x.transpose(0, 2, 3, 1)) if x.ndim == 4 else x


def run(graph: Any, inputs: list[Array]) -> list[Array]:
    fed = []
    for name, x in zip(graph.inputs, inputs, strict=True):
        shape = graph.tensors[name].shape
        for form in (
            nhwc(x) if graph.metadata.get("source_layout") else x,
            np.moveaxis(x, 1, -1) if x.ndim == 3 else x,
            x,
        ):
            if (1, *form.shape[1:]) == shape or form.shape == shape or (1, *form.shape) == shape:
                fed.append(np.ascontiguousarray(form).reshape(shape))
                break
        else:
            raise ValueError(f"input of shape {x.shape} for {shape}")
    return float_reference.outputs(graph, fed)


def equal(case: Case, got: Array, want: Array) -> bool:
    """Within the case's tolerance, and of its shape; images are NHWC, rows of vectors (n, w, c)."""
    forms = [want]
    if want.ndim in (3, 4):
        forms.append(np.moveaxis(want, 1, -1))
    return any(
        got.size == form.size
        and [d for d in got.shape if d != 1] == [d for d in form.shape if d != 1]
        and np.allclose(*defined(got.ravel(), form.ravel()), rtol=case.rtol, atol=max(case.atol, 1e-6))
        for form in forms
    )


def defined(got: Array, want: Array) -> tuple[Array, Array]:
    """Without the places where the case expects no number: the root of a negative one is free to be anything."""
    numbers = ~np.isnan(want)
    return got[numbers], want[numbers]


def verdict(case: Case, folder: Path) -> tuple[str, str, str]:
    """(right, wrong or refused; why; how it was run)."""
    floats = [n for n, x in case.inputs.items() if x.dtype == np.float32]
    refused = ""
    for count in range(len(floats), 0, -1):
        for activations in itertools.combinations(floats, count):
            for batch in batches(case, activations):
                try:
                    result = attempt(case, activations, batch, folder)
                except EdgekcError as error:
                    line = " ".join(str(error).split()).replace(f"{folder}/case.onnx: ", "")
                    refused = line if not refused or "batch size" in refused else refused
                    continue
                except Exception as error:  # a fault of edgekc's own, which no count may hide
                    return "wrong", f"{type(error).__name__}: {' '.join(str(error).split())[:120]}", f"batch {batch}"
                how = "as it is" if batch == 1 else f"{batch} samples one by one"
                if count < len(floats):
                    how += ", parameters as constants"
                if result or batch == 1 or by_itself(case, activations, batch):
                    return ("right" if result else "wrong"), "", how
                refused = "samples of the batch are not mapped by themselves"
    return "refused", refused, ""


def batches(case: Case, activations: tuple[str, ...]) -> list[int]:
    """Batch sizes to try: 1, then that which all inputs and outputs have."""
    sizes = {case.inputs[n].shape[0] for n in activations if case.inputs[n].ndim}
    size = max(sizes, default=1)
    outputs = all(o.ndim and o.shape[0] == size for o in case.outputs) and size < 100
    return [1, size] if size > 1 and outputs else [1]


def by_itself(case: Case, activations: tuple[str, ...], batch: int) -> bool:
    """Whether onnx's own evaluator, given the samples one by one, computes what the case expects of all together."""
    try:
        evaluator = ReferenceEvaluator(variant(case, activations, batch))
        for k in range(batch):
            inputs = {n: case.inputs[n] for n in activations}
            sample = {n: x[k : k + 1] if x.ndim and x.shape[0] == batch else x for n, x in inputs.items()}
            got = evaluator.run(None, sample)
            if not all(g.shape == w[k : k + 1].shape for g, w in zip(got, case.outputs, strict=False)):
                return False
            if not all(equal(case, g, w[k : k + 1]) for g, w in zip(got, case.outputs, strict=False)):
                return False
    except Exception:  # the evaluator has no such model: then its samples are not separate
        return False
    return True


def attempt(case: Case, activations: tuple[str, ...], batch: int, folder: Path) -> bool:
    path = folder / "case.onnx"
    onnx.save_model(variant(case, activations, batch), str(path))
    graph = import_onnx(path, "case")
    names = [v.name for v in case.model.graph.input if v.name in activations]
    for k in range(batch):
        inputs = [case.inputs[n] for n in names]
        if batch > 1:
            inputs = [x[k : k + 1] if x.ndim and x.shape[0] == batch else x for x in inputs]
        got = run(graph, inputs)
        for value, want in zip(got, case.outputs, strict=False):
            if not equal(case, value, want[k : k + 1] if batch > 1 else want):
                return False
    return True


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="cases whose name or operators hold this word")
    parser.add_argument("--why", action="store_true", help="print each case that is not right")
    arguments = parser.parse_args()
    record: dict[str, Any] = {"onnx": onnx.__version__, "kinds": {}, "cases": {}}
    with tempfile.TemporaryDirectory() as folder:
        for kind in KINDS:
            counts: collections.Counter[str] = collections.Counter()
            for case in cases(kind):
                if arguments.only not in case.name and arguments.only not in case.operators:
                    continue
                result, why, how = verdict(case, Path(folder))
                counts[result] += 1
                counts["sample by sample"] += result == "right" and "one by one" in how
                record["cases"][f"{kind}/{case.name}"] = {
                    "result": result, **({"how": how} if how else {}), **({"why": why} if why else {}),
                }  # fmt: skip
                if arguments.why and result != "right":
                    print(f"{result:8} {case.name}: {why or how}")
            record["kinds"][kind] = {"cases": sum(counts[k] for k in ("right", "wrong", "refused")), **counts}
    print("| cases | all | right | of them sample by sample | wrong | refused |\n|---|--:|--:|--:|--:|--:|")
    for kind, counts in record["kinds"].items():
        fields = (counts["cases"], *(counts.get(k, 0) for k in ("right", "sample by sample", "wrong", "refused")))
        print(f"| {kind} | {' | '.join(map(str, fields))} |")
    if not arguments.only:
        RESULTS.write_text(json.dumps(record, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()

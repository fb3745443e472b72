"""TensorFlow Lite's own interpreter with its reference kernels: an oracle that shares no code with edgekc.

The interpreter runs in a process of its own: its kernels end the process where they meet what they do not expect.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ToolError
from ..graph.ir import Array

# (module, package, the rounding of fully connected layers that its reference kernels have: docs/numerics.md)
_INTERPRETERS = (
    ("ai_edge_litert.interpreter", "ai-edge-litert", "tflite"),
    ("tflite_runtime.interpreter", "tflite-runtime", "double"),
)
# Operators whose int8 reference kernel does not compute what the operator means: SUM reads its bytes as uint8.
WRONG_REFERENCE = ("SUM",)
_UNREGISTERED = "Registration failed"  # what it says where its table has no such version of an operator
INSTALL = "pip install 'edgekc[litert]'"


@dataclass(frozen=True, slots=True)
class Interpreter:
    """An installed interpreter."""

    module: str
    title: str  # package and version


def find(rounding: str | None) -> Interpreter | None:
    """The interpreter whose fully connected layers round like this; None for `rounding`: any, there are none."""
    for module, package, rule in _INTERPRETERS:
        if rounding in (None, rule) and importlib.util.find_spec(module.split(".")[0]) is not None:
            return Interpreter(module, f"{package} {metadata.version(package)}")
    return None


def run(
    interpreter: Interpreter,
    model: Path,
    inputs: Sequence[Array],
    wanted: Sequence[int] = (),
    traced: int = 0,
    timeout_s: float = 600.0,
    *,
    reference: bool = True,
) -> tuple[list[Array], dict[int, Array]]:
    """All outputs, and of the first samples the tensors whose indices in the file are `wanted`; (samples, ...) each.

    Args:
        inputs: one array for each input of the file, (samples, *shape[1:]); samples are run one by one.
        traced: of how many samples `wanted` is given.
        reference: by the reference kernels, which define the bits; else by those that it takes by itself.

    The table of reference kernels names each by its first version, where the other table names more. A file that it
    refuses is asked again with all operators named so: no kernel reads the number.

    Raises:
        ToolError: the interpreter refuses the model, or ended.
    """
    try:
        return _run(interpreter, model, inputs, wanted, traced, timeout_s, reference)
    except ToolError as error:
        if not reference or _UNREGISTERED not in str(error):
            raise
        from ..importers.tflite.file import of_first_versions

        with tempfile.TemporaryDirectory(prefix="edgekc-litert-") as folder:
            renamed = Path(folder) / model.name
            renamed.write_bytes(of_first_versions(model.read_bytes()))
            return _run(interpreter, renamed, inputs, wanted, traced, timeout_s, reference)


def _run(
    interpreter: Interpreter, model: Path, inputs: Sequence[Array], wanted: Sequence[int], traced: int,
    timeout_s: float, reference: bool,
) -> tuple[list[Array], dict[int, Array]]:  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="edgekc-litert-") as folder:
        given, result = Path(folder) / "in.npz", Path(folder) / "out.npz"
        arrays: dict[str, Any] = {f"x{k}": x for k, x in enumerate(inputs)}
        np.savez(given, wanted=np.array([traced, *wanted]), **arrays)
        command = [sys.executable, "-m", __name__, interpreter.module, str(model), str(given), str(result)]
        command += [] if reference else ["own"]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=timeout_s)
        except subprocess.TimeoutExpired as error:
            raise ToolError(f"took more than {timeout_s:g} s", where=interpreter.title) from error
        if done.returncode != 0 or not result.is_file():
            said = (done.stderr.strip().splitlines() or [f"it ended with status {done.returncode}"])[-1]
            raise ToolError(f"could not run {model.name}: {said[:300]}", where=interpreter.title)
        with np.load(result) as found:
            outputs = [found[f"y{k}"] for k in range(sum(key.startswith("y") for key in found.files))]
            return outputs, {int(key[1:]): found[key] for key in found.files if key.startswith("t")}


def _serve(module: str, model: str, given: str, result: str, kernels: str = "reference") -> None:
    """The other process."""
    with np.load(given) as archive:
        inputs = [archive[f"x{k}"] for k in range(len(archive.files) - 1)]
        traced, *wanted = (int(i) for i in archive["wanted"])
    tf: Any = importlib.import_module(module)
    kinds = tf.OpResolverType  # neither has XNNPACK, which rounds otherwise
    runner = tf.Interpreter(
        model_content=Path(model).read_bytes(),
        experimental_op_resolver_type=kinds.BUILTIN_REF
        if kernels == "reference"
        else kinds.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        experimental_preserve_all_tensors=bool(wanted),
        num_threads=1,
    )
    details = runner.get_input_details()
    for detail, x in zip(details, inputs, strict=True):
        if tuple(detail["shape"]) != (1, *x.shape[1:]):
            runner.resize_tensor_input(detail["index"], (1, *x.shape[1:]))
    runner.allocate_tensors()
    rows: dict[str, list[Array]] = {}
    for sample in range(len(inputs[0])):
        for detail, x in zip(details, inputs, strict=True):
            runner.set_tensor(detail["index"], x[sample : sample + 1])
        runner.invoke()
        found = {f"y{k}": runner.get_tensor(d["index"]) for k, d in enumerate(runner.get_output_details())}
        found |= {f"t{i}": runner.get_tensor(i) for i in wanted if sample < traced}
        for key, value in found.items():
            rows.setdefault(key, []).append(np.array(value))
    stacked: dict[str, Any] = {key: np.stack(values) for key, values in rows.items()}
    np.savez(result, **stacked)


if __name__ == "__main__":
    _serve(*sys.argv[1:])

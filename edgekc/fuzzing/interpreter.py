"""LiteRT's reference kernels on many small models: one process that is asked again and again.

Its kernels end the process where they meet what they do not expect. The next model then gets a new one.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import pickle
import subprocess
import sys
from collections.abc import Sequence
from types import TracebackType
from typing import Any

from ..emulate import litert
from ..graph.ir import Array


class Interpreter:
    """The process; it starts at the first question.

    Args:
        found: which interpreter (`edgekc.emulate.litert.find`).
    """

    def __init__(self, found: litert.Interpreter) -> None:
        self.found = found
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Interpreter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def values(self, model: bytes, samples: Sequence[Sequence[Array]], names: Sequence[str]) -> list[dict[str, Array]]:
        """For each sample the tensors of these names; a network's states go from each to the next.

        Args:
            samples: an array for each of the model's inputs.

        Raises:
            RuntimeError: LiteRT refuses the model, or ended.
        """
        process = self._started()
        assert process.stdin is not None and process.stdout is not None
        try:
            pickle.dump((model, samples, list(names)), process.stdin)
            process.stdin.flush()
            answer = pickle.load(process.stdout)
        except (EOFError, OSError, pickle.UnpicklingError) as error:
            self.close()
            raise RuntimeError("LiteRT ended the process") from error
        if isinstance(answer, str):
            raise RuntimeError(answer)
        rows: list[dict[str, Array]] = answer
        return rows

    def close(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            command = [sys.executable, "-m", __name__, self.found.module]
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
            )
        return self._process


def _serve(module: str) -> None:
    """The other process: a question on standard input, an answer on standard output, until the first is closed."""
    asked, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what LiteRT prints is no answer
    tf: Any = importlib.import_module(module)
    while True:
        try:
            model, samples, names = pickle.load(asked)
        except EOFError:
            return
        try:
            answer: Any = _values(tf, model, samples, names)
        except (RuntimeError, ValueError) as error:
            answer = str(error)
        pickle.dump(answer, answers)
        answers.flush()


def _values(tf: Any, model: bytes, samples: Sequence[Sequence[Array]], names: Sequence[str]) -> list[dict[str, Array]]:
    runner = tf.Interpreter(
        model_content=model,
        experimental_op_resolver_type=tf.OpResolverType.BUILTIN_REF,
        experimental_preserve_all_tensors=True,
        num_threads=1,
    )
    runner.allocate_tensors()
    wanted = set(names)
    places = {d["name"]: d["index"] for d in runner.get_tensor_details() if d["name"] in wanted}
    rows = []
    for inputs in samples:
        for detail, value in zip(runner.get_input_details(), inputs, strict=True):
            runner.set_tensor(detail["index"], value)
        runner.invoke()
        rows.append({name: runner.get_tensor(place) for name, place in places.items()})
    return rows


if __name__ == "__main__":
    _serve(*sys.argv[1:])

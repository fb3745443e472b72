"""Streaming networks as .tflite files: nodes of a QUANTIZED graph, and variables that each step reads and assigns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import oracle

from edgekc.fuzzing.layers import PROBABILITY, Builder, linear
from edgekc.fuzzing.streaming import streaming_net
from edgekc.fuzzing.streaming_file import Variable, streaming_network
from edgekc.fuzzing.values import f32, tensor
from edgekc.graph.ir import Array, AttrValue, Quant, Tensor


def interpret(file: bytes, samples: Sequence[Sequence[Array]]) -> list[list[Array]]:
    """LiteRT's outputs of each step of a sequence, under its reference kernels."""
    module = oracle._interpreter_module()
    runner = module.Interpreter(
        model_content=file, experimental_op_resolver_type=module.OpResolverType.BUILTIN_REF, num_threads=1
    )
    runner.allocate_tensors()
    found = []
    for inputs in samples:
        oracle._invoke(runner, inputs)
        found.append([runner.get_tensor(detail["index"]) for detail in runner.get_output_details()])
    return found


@dataclass(frozen=True, slots=True)
class StreamingNet:
    """A random network of which some inputs are variables."""

    file: bytes
    inputs: tuple[Tensor, ...]

    def samples(self, count: int) -> list[list[Array]]:
        rng = np.random.default_rng(len(self.file))
        return [[rng.integers(-128, 128, t.shape).astype(t.dtype) for t in self.inputs] for _ in range(count)]


def random_streaming(seed: int) -> StreamingNet:
    """A network of `edgekc fuzz`."""
    net = streaming_net(seed)
    return StreamingNet(net.model(), net.inputs)


def wake_word(seed: int = 0) -> StreamingNet:
    """As wake words are made: each layer's window over time is a variable, to which the newest rows are joined."""
    b = Builder(np.random.default_rng([seed, 14]), extreme=False)
    frames = tensor("frames", (1, 3, 8), Quant((f32(0.1),), (-128,)))
    image = b.emit("reshape", {}, [frames], tensor("image", (1, 3, 1, 8), frames.q))
    variables: list[Variable] = []
    x = _window(b, variables, image, 2)
    x = _filtered(b, "conv2d", x, (16, 5, 1, 8), 0)
    x = _window(b, variables, x, 6)
    halves = [_rows(b, x, (0, 0, 0, at), (1, 7, 1, 8)) for at in (0, 8)]
    parts = [
        _filtered(b, "depthwise", halves[0], (1, 7, 1, 8), 3),
        _filtered(b, "depthwise", _rows(b, halves[1], (0, 4, 0, 0), (1, 3, 1, 8)), (1, 3, 1, 8), 3),
    ]
    both = b.quant()
    parts = [b.emit("quantize", {}, [part], b.new("quantize", part.shape, both)) for part in parts]
    x = b.emit("concat", {"axis": 3, "activation": "none"}, parts, b.new("concat", (1, 1, 1, 16), both))
    x = _filtered(b, "fully_connected", x, (1, 16), 0)
    x = b.emit("logistic", {}, [x], b.new("logistic", x.shape, PROBABILITY))
    x = b.emit("quantize", {}, [x], b.new("quantize", x.shape, Quant((1 / 256,), (0,)), "uint8"))
    return StreamingNet(streaming_network(b.views, [frames], [x.name], variables), (frames,))


def _window(b: Builder, variables: list[Variable], x: Tensor, rows: int) -> Tensor:
    """The last `rows` rows of earlier steps in front of those of this one."""
    _, new, *rest = x.shape
    read = tensor(f"past_{len(variables)}", (1, rows, *rest), x.q)
    joined = b.emit(
        "concat", {"axis": 1, "activation": "none"}, [read, x], b.new("concat", (1, rows + new, *rest), x.q)
    )
    kept = _rows(b, joined, (0, new, 0, 0), read.shape)
    variables.append(
        Variable(f"stream_{len(variables)}", read, kept.name, np.full(read.shape, x.q.zero_point, np.int8))
    )
    return joined


def _rows(b: Builder, x: Tensor, begins: tuple[int, ...], sizes: tuple[int, ...]) -> Tensor:
    attrs = {"begins": begins, "sizes": sizes, "strides": (1,) * len(sizes)}
    text: dict[str, AttrValue] = {key: ",".join(map(str, value)) for key, value in attrs.items()}
    return b.emit("strided_slice", text, [x], b.new("strided_slice", sizes, x.q))


def _filtered(b: Builder, op: str, x: Tensor, shape: tuple[int, ...], axis: int) -> Tensor:
    """A layer whose window takes the whole input."""
    sizes = {f"{key}_{side}": 1 for key in ("stride", "dilation") for side in "hw"}
    sizes |= {f"pad_{side}": 0 for side in ("top", "bottom", "left", "right")}
    w = b.rng.integers(-127, 128, shape).astype(np.int8)
    out = (1, 1, 1, shape[axis])
    return linear(b, op, dict(sizes) if len(shape) == 4 else {}, x, w, axis, out, bounded=True)

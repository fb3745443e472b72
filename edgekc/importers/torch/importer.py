"""A torch.export program, or an nn.Module exported here, to a FLOAT graph."""

from __future__ import annotations

import operator
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import ModelError, UnsupportedError
from ...graph.ir import Graph
from .. import nchw
from ..builder import Builder, Value, constant_value, of_either_layout, real
from ..finish import fold_affine, numbered, tidy
from ..imported import Imported, SourceOperator
from . import file
from .call import Call, array_of, evaluate, is_constant, op_name, title


def import_torch(program_or_module: Any, name: str, example_inputs: Any = None) -> Graph:
    """Turn an ExportedProgram, the path of a .pt2 file, or an nn.Module into a graph called `name`.

    A module is exported in evaluation mode with one sample of `example_inputs` (a tensor or a tuple). Inputs
    of four dimensions are taken as NCHW and become NHWC. Of a .pt2 file torch is given a clean copy, see
    `torch_archive`: nothing in it is unpickled or run.

    Raises:
        ModelError: the file is damaged, or holds NaN.
        UnsupportedError: an operator or attribute that edgekc does not have; names node, module and operator.
        UsageError: something else than the three kinds above, or a module without example inputs.
    """
    return read_torch(program_or_module, name, example_inputs).sound()


def read_torch(program_or_module: Any, name: str, example_inputs: Any = None) -> Imported:
    """As `import_torch`, with what stands in the way beside the graph."""
    from_file = isinstance(program_or_module, (str, Path))
    where = str(program_or_module) if from_file else f"torch model {name}"
    program = file.program_of(program_or_module, example_inputs, where)
    return of_either_layout(lambda last: _import(program, name, where, channels_last=last))


def _import(program: Any, name: str, where: str, channels_last: bool) -> Imported:
    b = Builder(where, channels_last=channels_last)
    values: dict[str, Any] = {}
    inputs = _placeholders(program, b, values)
    calls = [n for n in program.graph.nodes if n.op not in ("placeholder", "output")]
    loose: set[str] = set()  # what comes of refused nodes
    for index, node in enumerate(calls):
        if not node.users and node.op == "call_function":
            continue
        b.at, b.source = f"{where}: {title(node)}", index
        before, follows = len(b.nodes), any(n.name in loose for n in node.all_input_nodes)
        try:
            if node.op != "call_function":
                raise b.unsupported(f"a graph node of kind {node.op}", "calls of ATen operators")
            values[node.name] = _checked(b, node, _result(b, node, values))
        except (UnsupportedError, ModelError) as error:
            if isinstance(error, UnsupportedError):
                b.refuse(error, node.name)
            elif not follows:
                raise
            del b.nodes[before:]
            values[node.name], follows = _stand_in(b, node.meta.get("val")), True
        loose.update((node.name,) if follows else ())
    operators = [SourceOperator(k, op_name(n), n.name) for k, n in enumerate(calls)]
    try:
        outputs = _results(program, b, values, loose)
    except UnsupportedError as error:
        b.refused.append(error)
        outputs = []
    return b.finished(name, inputs, outputs, lambda g: numbered(tidy(fold_affine(g))), operators)


def _stand_in(b: Builder, meta: Any) -> Any:
    """What a refused call computes, of the shapes that torch recorded."""
    if isinstance(meta, (tuple, list)):
        return tuple(_stand_in(b, each) for each in meta)
    shape = getattr(meta, "shape", None)
    return None if shape is None else b.stand_in([d if isinstance(d, int) else None for d in shape])


def _checked(b: Builder, node: Any, result: Any) -> Any:
    """What a call gives, of the shapes that torch recorded when the program was traced."""
    metas = node.meta.get("val")
    pairs = zip(result, metas, strict=False) if isinstance(result, tuple) and metas else [(result, metas)]
    for value, meta in pairs:
        if isinstance(value, Value) and hasattr(meta, "shape"):
            b.check_stated(value.shape, [d if isinstance(d, int) else None for d in meta.shape])
    return result


def _placeholders(program: Any, b: Builder, values: dict[str, Any]) -> list[Value]:
    """Parameters and buffers as constants, the user's inputs as inputs of the graph."""
    import torch

    nodes = {node.name: node for node in program.graph.nodes if node.op == "placeholder"}
    inputs = []
    for spec in program.graph_signature.input_specs:
        node = nodes[spec.arg.name]
        if spec.kind.name != "USER_INPUT":
            tensor = program.state_dict.get(spec.target, program.constants.get(spec.target))
            if isinstance(tensor, torch.Tensor):
                values[node.name] = constant_value(array_of(tensor), spec.target)
                b.held_bytes += values[node.name].data.nbytes
            continue
        b.at = f"{b.where}: input {node.name}"
        meta = node.meta.get("val")
        if not isinstance(meta, torch.Tensor):
            if node.users:
                raise b.unsupported("an input that is no tensor", "tensors")
            continue
        if meta.dtype != torch.float32:
            raise b.unsupported(f"type {meta.dtype}", "torch.float32")
        if any(not isinstance(d, int) for d in meta.shape[1:]):
            raise b.unsupported(f"a free dimension in {list(meta.shape)}", "a free batch size")
        shape = tuple(d if isinstance(d, int) else 1 for d in meta.shape)  # a free batch size is one here
        values[node.name] = b.input(shape)
        inputs.append(values[node.name])
    if not inputs:
        raise ModelError("the program has no tensor inputs", where=b.where)
    return inputs


def _results(program: Any, b: Builder, values: Mapping[str, Any], loose: Collection[str]) -> list[Value]:
    outputs = []
    for spec in program.graph_signature.output_specs:
        if spec.kind.name != "USER_OUTPUT":
            raise UnsupportedError(
                f"the program changes its buffer {spec.target!r}: it was exported in training mode",
                where=b.where,
                fix="call model.eval() before torch.export.export",
            )
        value = values.get(getattr(spec.arg, "name", ""))
        if not isinstance(value, Value) and getattr(spec.arg, "name", "") in loose:
            continue
        if not isinstance(value, Value) or value.data is not None:
            raise UnsupportedError("an output that is no computed tensor; supported: tensors", where=b.where)
        outputs.append(value)
    return outputs


def _result(b: Builder, node: Any, values: Mapping[str, Any]) -> Any:
    """What a call gives: a value, a tuple of them, or a number."""

    def resolve(arg: Any) -> Any:
        if isinstance(arg, (list, tuple)):
            return [resolve(a) for a in arg]
        return values.get(arg.name) if hasattr(arg, "op") else arg

    args, kwargs = resolve(node.args), {k: resolve(v) for k, v in node.kwargs.items()}
    if node.target is operator.getitem:
        return args[0][args[1]] if isinstance(args[0], (list, tuple)) else None
    if getattr(node.target, "_schema", None) is None:
        if all(isinstance(a, (int, float)) for a in args) and getattr(operator, op_name(node), None) is not None:
            return node.target(*args)  # arithmetic on sizes
        raise b.unsupported("this function is not implemented", "ATen operators")
    named = {s.name: s.default_value for s in node.target._schema.arguments if s.has_default_value()}
    named |= {s.name: a for s, a in zip(node.target._schema.arguments, args, strict=False)}
    call = Call(b, named | kwargs)
    op = op_name(node)
    if op == "aten.sym_size":
        return call.value("self").shape[call.ints("dim")[0]]
    if is_constant(node, [*args, *kwargs.values()]):
        return evaluate(b, node, args, kwargs)
    handler = _HANDLERS.get(op.removeprefix("aten."))
    if handler is None:
        fix = "call model.eval() before torch.export.export" if "functional" in op or "native_dropout" in op else ""
        raise b.missing(_HANDLERS, fix)
    try:
        return handler(call)
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        raise b.wrong(f"arguments do not fit ({type(error).__name__}: {error})") from error


def _conv(c: Call) -> Value:
    x, w = c.value("input"), c.value("weight")
    if c.args.get("transposed"):
        raise c.b.unsupported("a transposed convolution", "plain convolutions")
    if len(x.shape) != 4:
        raise c.b.unsupported(f"convolution of a tensor of shape {list(x.shape)}", "4 dimensions (2-D convolution)")
    top, left = c.pair("padding")
    groups = c.ints("groups")[0]
    pads = (top, top, left, left)
    return nchw.conv(c.b, x, w, c.optional("bias"), c.pair("stride"), c.pair("dilation"), pads, groups)


def _matrix(c: Call, value: Value) -> Value:
    """Weights (ic, oc) of a matrix product as (oc, ic)."""
    if value.data is None or len(value.shape) != 2:
        raise c.b.unsupported("a product of two activations", "an activation times a constant matrix")
    return nchw.transpose(c.b, value, (1, 0))


def _addmm(c: Call) -> Value:
    w, bias, x = _matrix(c, c.value("mat2")), c.value("self"), c.value("mat1")
    alpha, beta = c.number("alpha"), c.number("beta")
    if bias.data is None or bias.data.size not in (1, w.shape[0]):
        raise c.b.unsupported("a sum that is no bias", "one constant for each output")
    if alpha != 1:
        w = constant_value(real(w) * alpha, w.source)
    return nchw.fully_connected(c.b, x, w, constant_value(real(bias) * beta, bias.source))


def _add(sign: float) -> Callable[[Call], Value]:
    def handler(c: Call) -> Value:
        x, y, factor = c.value("self"), c.value("other"), sign * float(c.number("alpha") or 0.0)
        if factor != 1 and y.data is not None:
            y = constant_value(real(y) * factor, y.source)
        elif factor != 1:
            y = nchw.binary(c.b, "mul", y, constant_value(np.array(factor), ""))
        return nchw.binary(c.b, "add", x, y)

    return handler


def _div(c: Call) -> Value:
    y = c.value("other")
    if y.data is None or c.args.get("rounding_mode") is not None:
        raise c.b.unsupported("division by an activation, or with rounding", "division by a constant")
    if (real(y) == 0).any():
        raise c.b.wrong("division by zero")
    return nchw.binary(c.b, "mul", c.value("self"), constant_value(1.0 / real(y), y.source))


def _batch_norm(c: Call) -> tuple[Value, None, None]:
    eps = c.number("eps")
    mean, var = c.value("running_mean"), c.value("running_var")
    scale, shift = c.optional("weight"), c.optional("bias")
    return nchw.batch_norm(c.b, c.value("input"), scale, shift, mean, var, float(eps or 0.0)), None, None


def _clamp(c: Call) -> Value:
    return nchw.clamp(c.b, c.value("self"), c.number("min"), c.number("max"))


def _hardtanh(c: Call) -> Value:
    return nchw.clamp(c.b, c.value("self"), c.number("min_val"), c.number("max_val"))


def _pool(op: str) -> Callable[[Call], Value]:
    def handler(c: Call) -> Value:
        if c.args.get("divisor_override") is not None:
            raise c.b.unsupported("divisor_override", "the number of pixels")
        kernel = c.pair("kernel_size")
        top, left = c.pair("padding")
        counted, ceil = bool(c.args.get("count_include_pad", False)), bool(c.args.get("ceil_mode", False))
        stride, dilation = c.pair("stride", list(kernel)), c.pair("dilation", [1, 1])
        return nchw.pool(c.b, op, c.value("self"), kernel, stride, dilation, (top, top, left, left), ceil, counted)

    return handler


def _adaptive(op: str) -> Callable[[Call], Value]:
    def handler(c: Call) -> Value:
        x, out = c.value("self"), c.pair("output_size")
        if len(x.shape) != 4 or min(out) < 1 or x.shape[2] % out[0] or x.shape[3] % out[1]:
            raise c.b.unsupported(f"an adaptive pool of {list(x.shape)} to {list(out)}", "sizes that divide evenly")
        if op == "average_pool" and out == (1, 1):
            return nchw.mean(c.b, x, (2, 3), True)
        kernel = (x.shape[2] // out[0], x.shape[3] // out[1])
        return nchw.pool(c.b, op, x, kernel, kernel, (1, 1), (0, 0, 0, 0), False)

    return handler


def _mean(c: Call) -> Value:
    x = c.value("self")
    return nchw.mean(c.b, x, c.ints("dim") or range(len(x.shape)), bool(c.args.get("keepdim", False)))


def _squeeze(c: Call) -> Value:
    x = c.value("self")
    axes = {a % len(x.shape) for a in c.ints("dim")} if c.args.get("dim") is not None else set(range(len(x.shape)))
    return nchw.reshape(c.b, x, [d for i, d in enumerate(x.shape) if d != 1 or i not in axes])


def _unsqueeze(c: Call) -> Value:
    x, axis = c.value("self"), c.ints("dim")[0]
    axis += len(x.shape) + 1 if axis < 0 else 0
    return nchw.reshape(c.b, x, (*x.shape[:axis], 1, *x.shape[axis:]))


def _expand(c: Call) -> Value:
    x, size = c.value("self"), c.ints("size")
    same = [d if want == -1 else want for d, want in zip(x.shape[::-1], size[::-1], strict=False)][::-1]
    if len(size) != len(x.shape) or tuple(same) != x.shape:
        raise c.b.unsupported(f"expansion of {list(x.shape)} to {size}", "the same shape")
    return x


def _slice(c: Call) -> Value:
    x = c.value("self")
    size = x.shape[c.ints("dim")[0]]
    start, end, step = c.args.get("start") or 0, c.args.get("end"), c.args.get("step")
    if start != 0 or step != 1 or (end is not None and end < size):
        raise c.b.unsupported("a slice of an activation", "a slice that is everything")
    return x


def _cast(c: Call) -> Value:
    dtype = c.args.get("dtype")
    if dtype is not None and str(dtype) != "torch.float32":
        raise c.b.unsupported(f"a cast to {dtype}", "torch.float32")
    return c.value("self")


def _softmax(c: Call) -> Value:
    return nchw.softmax(c.b, c.value("self"), c.ints("dim")[0])


def _pad(c: Call) -> Value:
    x, amounts = c.value("self"), c.ints("pad")
    if len(amounts) % 2 or len(amounts) > 2 * len(x.shape):
        raise c.b.wrong(f"padding {amounts} does not fit shape {list(x.shape)}")
    pairs = [(amounts[i], amounts[i + 1]) for i in range(0, len(amounts), 2)][::-1]  # torch: the last axis first
    return nchw.pad(c.b, x, [(0, 0)] * (len(x.shape) - len(pairs)) + pairs, c.number("value") or 0.0)


def _same(c: Call) -> Value:
    return c.value("self" if "self" in c.args else "input")


def _cat(c: Call) -> Value:
    parts = c.args["tensors"]
    if not all(isinstance(p, Value) for p in parts):
        raise c.b.wrong("a part is no tensor")
    return nchw.concat(c.b, parts, c.ints("dim")[0])


_HANDLERS: dict[str, Callable[[Call], Any]] = {
    "_adaptive_avg_pool2d": _adaptive("average_pool"),
    "_native_batch_norm_legit_no_training": _batch_norm,
    "_softmax": _softmax,
    "_to_copy": _cast,
    "_unsafe_view": lambda c: nchw.reshape(c.b, c.value("self"), c.ints("size")),
    "adaptive_avg_pool2d": _adaptive("average_pool"),
    "adaptive_max_pool2d": lambda c: (_adaptive("max_pool")(c), None),
    "add": _add(1.0),
    "addmm": _addmm,
    "alias": _same,
    "avg_pool2d": _pool("average_pool"),
    "cat": _cat,
    "clamp": _clamp,
    "clamp_max": _clamp,
    "clamp_min": _clamp,
    "clone": _same,
    "constant_pad_nd": _pad,
    "contiguous": _same,
    "convolution": _conv,
    "detach": _same,
    "div": _div,
    "dropout": _same,
    "expand": _expand,
    "hardtanh": _hardtanh,
    "linear": lambda c: nchw.fully_connected(c.b, c.value("input"), c.value("weight"), c.optional("bias")),
    "max_pool2d_with_indices": lambda c: (_pool("max_pool")(c), None),
    "mean": _mean,
    "mm": lambda c: nchw.fully_connected(c.b, c.value("self"), _matrix(c, c.value("mat2")), None),
    "mul": lambda c: nchw.binary(c.b, "mul", c.value("self"), c.value("other")),
    "neg": lambda c: nchw.binary(c.b, "mul", c.value("self"), constant_value(np.array(-1.0), "")),
    "permute": lambda c: nchw.transpose(c.b, c.value("self"), c.ints("dims")),
    "relu": lambda c: nchw.clamp(c.b, c.value("self"), 0.0, None),
    "sigmoid": lambda c: nchw.unary(c.b, "logistic", c.value("self")),
    "slice": _slice,
    "squeeze": _squeeze,
    "sub": _add(-1.0),
    "tanh": lambda c: nchw.unary(c.b, "tanh", c.value("self")),
    "unsqueeze": _unsqueeze,
    "view": lambda c: nchw.reshape(c.b, c.value("self"), c.ints("size")),
}

"""A torch.export program, or an nn.Module exported here, to a FLOAT graph."""

from __future__ import annotations

import operator
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...errors import ModelError, UnsupportedError
from ...graph.ir import Graph
from .. import quantized
from ..builder import Builder
from ..imported import Imported, SourceOperator
from ..layouts import import_in_best
from ..value import Value, constant_value
from . import file
from .call import Call, array_of, evaluate, is_constant, op_name, title
from .handlers import HANDLERS
from .handlers.quantising import QUANTISING

# What takes whole numbers that are an activation; others compute real ones.
_OF_WHOLE = frozenset("_to_copy _unsafe_view alias clone detach embedding permute squeeze unsqueeze view".split())


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
    ranks = file.input_ranks(program)
    return import_in_best(lambda b: _import(program, name, b), where, ranks, _is_quantized(program))


def _import(program: Any, name: str, b: Builder) -> Imported:
    where = b.where
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
    return b.finished(name, inputs, outputs, lambda g: quantized.settled_or_folded(b, g, nearest=True), operators)


def _is_quantized(program: Any) -> bool:
    """Whether activations are quantised; a program whose weights alone are is a float one."""
    constants = {spec.arg.name for spec in program.graph_signature.input_specs if spec.kind.name not in ("USER_INPUT",)}
    return any(
        op_name(node).startswith("quantized_decomposed.quantize_") and node.args[0].name not in constants
        for node in program.graph.nodes
        if node.op == "call_function"
    )


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
        whole = meta.dtype in (torch.int32, torch.int64)
        if meta.dtype != torch.float32 and not whole:
            raise b.unsupported(f"type {meta.dtype}", "torch.float32, and whole numbers by which rows are looked up")
        if any(not isinstance(d, int) for d in meta.shape[1:]):
            raise b.unsupported(f"a free dimension in {list(meta.shape)}", "a free batch size")
        shape = tuple(d if isinstance(d, int) else 1 for d in meta.shape)  # a free batch size is one here
        values[node.name] = replace(b.input(shape), whole=whole)
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
    call = Call(b, named | kwargs, node)
    op = op_name(node)
    if op == "aten.sym_size":
        return call.value("self").shape[call.ints("dim")[0]]
    if op in QUANTISING:
        return QUANTISING[op](call)
    if is_constant(node, [*args, *kwargs.values()]):
        return evaluate(b, node, args, kwargs)
    if op.removeprefix("aten.") not in _OF_WHOLE and any(isinstance(a, Value) and a.whole for a in args):
        raise b.unsupported("integers that are computed at run time", f"{', '.join(sorted(_OF_WHOLE))} of them")
    handler = HANDLERS.get(op.removeprefix("aten."))
    if handler is None:
        fix = "call model.eval() before torch.export.export" if "functional" in op or "native_dropout" in op else ""
        raise b.missing(HANDLERS, fix)
    try:
        return handler(call)
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        raise b.wrong(f"arguments do not fit ({type(error).__name__}: {error})") from error

"""What is legal in each stage of a graph, in one place; checked at every boundary between stages."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ..errors import EdgekcError, ModelError, UsageError
from ..graph import bounds
from ..graph.ir import REAL, Graph, Node, Role, Stage, Tensor, producers
from ..graph.op import Constant, Op, int_attrs, operand_at, plain_fields, view_of
from . import OPS, source_of

# C pointer type of a kernel's field -> dtype of the constant that it points to
_POINTEES = {
    "const int8_t *": "int8",
    "const uint8_t *": "uint8",
    "const int16_t *": "int16",
    "const int32_t *": "int32",
    "const ek_s16 *": "int16",
    "const ek_u16 *": "float16",  # its bits
    "const float *": "float32",
}


def op_of(node: Node) -> Op:
    """The operator of an INTEGER node."""
    if node.op not in OPS:
        raise ModelError(f"operator {node.op} does not exist", where=node.name)
    return OPS[node.op]


def check(graph: Graph) -> None:
    """Raises ModelError where the graph is not legal in its stage.

    Every stage: names resolve, constants have the value that they say, each activation is written once and
    before it is read. INTEGER: also operands, attributes and shapes as the operators say.
    """
    _check_tensors(graph)
    _check_order(graph)
    if graph.stage is Stage.INTEGER:
        _check_integer(graph)


def _check_tensors(graph: Graph) -> None:
    for name, t in graph.tensors.items():
        if t.name != name:
            raise ModelError(f"the tensor calls itself {t.name}", where=name)
        if (t.role is Role.ACTIVATION) != (t.data is None):
            raise ModelError(f"role {t.role.value} and {'no' if t.data is None else 'a'} value", where=name)
        if t.data is not None and (t.data.shape != t.shape or t.data.dtype != np.dtype(t.dtype)):
            raise ModelError(
                f"the value is {t.data.dtype}{list(t.data.shape)}, not {t.dtype}{list(t.shape)}", where=name
            )


def _check_order(graph: Graph) -> None:
    if not graph.inputs or not graph.outputs:
        raise ModelError("the graph needs at least one input and one output", where=graph.name)
    mentioned = {n for node in graph.nodes for n in (*node.inputs, *node.outputs)}.union(graph.sources, graph.sinks)
    missing = sorted(mentioned - graph.tensors.keys())
    if missing:
        raise ModelError("the tensor does not exist", where=missing[0])
    written: set[str] = set()

    def write(name: str, by: str) -> None:
        if graph.tensors[name].role is not Role.ACTIVATION:
            raise ModelError(f"{by} writes the constant {name}", where=graph.name)
        if name in written:
            raise ModelError(f"{by} writes {name}, which is written before", where=graph.name)
        written.add(name)

    for name in graph.inputs:
        write(name, "the caller")
    for state in graph.states:
        write(state.start, "a state")
    seen: set[str] = set()
    for node in graph.nodes:
        if node.name in seen:
            raise ModelError("two nodes have this name", where=node.name)
        seen.add(node.name)
        for name in node.inputs:
            if graph.tensors[name].role is Role.ACTIVATION and name not in written:
                raise ModelError(f"reads {name} before it is written", where=node.name)
        for name in node.outputs:
            write(name, node.name)
    for name in graph.outputs:
        if name not in written:
            raise ModelError("the graph's output is never written", where=name)
    if len(set(graph.outputs)) != len(graph.outputs):
        raise ModelError("a tensor is listed twice among the outputs", where=graph.name)
    if graph.states:
        _check_states(graph)


def _check_states(graph: Graph) -> None:
    writers = producers(graph)
    ends = [s.end for s in graph.states]
    if len(set(ends)) != len(ends):
        raise ModelError("a tensor is listed twice among the ends of states", where=graph.name)
    for s in graph.states:
        start, end = graph.tensors[s.start], graph.tensors[s.end]
        if (start.shape, start.dtype) != (end.shape, end.dtype):
            kinds = f"{start.dtype}{list(start.shape)} and ends as {end.dtype}{list(end.shape)}"
            raise ModelError(f"the state starts as {kinds}", where=s.start)
        if (s.initial.shape, s.initial.dtype) != (start.shape, np.dtype(start.dtype)):
            raise ModelError(f"the first value is {s.initial.dtype}{list(s.initial.shape)}", where=s.start)
        writer = writers.get(s.end)
        if writer is None or not _moves_no_bytes(graph.stage, writer):
            raise ModelError("a state's end must be written by a node that moves no bytes", where=s.end)


def _moves_no_bytes(stage: Stage, node: Node) -> bool:
    return op_of(node).view if stage is Stage.INTEGER else source_of(node).view


def require_float(graph: Graph, where: str) -> None:
    """UsageError where a model has been quantised, so that nothing is left to compress or to train."""
    if graph.stage is Stage.FLOAT:
        return
    wide = any(t.dtype == "int16" and t.role is Role.ACTIVATION for t in graph.tensors.values())
    raise UsageError(
        f"the model is quantised already{', to int16' * wide}; `compile` takes it as it is",
        where=where,
        fix=f"pass the float model{', which becomes one of int8' * wide}",
    )


def _check_integer(graph: Graph) -> None:
    for t in graph.tensors.values():
        _check_integer_tensor(t)
    for name in (*graph.inputs, *graph.outputs):
        _check_interface(graph.tensors[name])
    for node in graph.nodes:
        _check_node(graph, node)


def _check_integer_tensor(t: Tensor) -> None:
    if t.dtype not in bounds.ROLE_DTYPES[t.role]:
        allowed = " or ".join(bounds.ROLE_DTYPES[t.role])
        raise ModelError(f"a tensor of role {t.role.value} must be {allowed}, not {t.dtype}", where=t.name)
    if len(t.shape) > bounds.MAX_DIMS or any(d < 1 for d in t.shape) or math.prod(t.shape) > bounds.MAX_ELEMENTS:
        raise ModelError(f"impossible shape {list(t.shape)}", where=t.name)
    if t.role is Role.ACTIVATION and any(d > bounds.MAX_ACTIVATION_DIM for d in t.shape):
        raise ModelError(f"shape {list(t.shape)} exceeds {bounds.MAX_ACTIVATION_DIM}", where=t.name)
    if t.data is not None and t.dtype == "float32" and not np.isfinite(t.data).all():
        raise ModelError("a constant of float32 must be finite", where=t.name)
    if t.role is Role.PAIRS and (not t.shape or t.shape[-1] != 2 or not np.isfinite(t.value).all()):
        raise ModelError("a/b pairs must have a last axis of 2 and be finite", where=t.name)
    if t.role is Role.CENTERS:
        binary_points(t)


def _check_interface(t: Tensor) -> None:
    """Quantisation of the graph's inputs and outputs, where it is known: one float32 scale, one zero point."""
    if t.quant is None:
        return
    if t.dtype == "float32":
        if t.quant != REAL:
            raise ModelError(f"a float32 input or output has the scale {t.quant.scale!r}, not 1", where=t.name)
        return
    info = np.iinfo(t.dtype)
    if len(t.quant.scales) != 1 or len(t.quant.zero_points) != 1:
        raise ModelError("an input or output must have one scale", where=t.name)
    scale, zero = t.quant.scale, t.quant.zero_point
    with np.errstate(over="ignore"):
        is_float32 = float(np.float32(scale)) == scale
    if not (is_float32 and 0 < scale < math.inf) or not info.min <= zero <= info.max:
        raise ModelError(f"impossible scale {scale!r} or zero point {zero}", where=t.name)


def binary_points(t: Tensor) -> tuple[int, ...]:
    """The binary point of each group of centers: its scales are 2**-point along the first axis."""
    quant = t.q
    if not t.shape or len(quant.scales) != t.shape[0] or quant.axis != 0 or any(quant.zero_points):
        raise ModelError(
            "centers need one scale for every index of their first axis and zero points of 0", where=t.name
        )
    points = []
    for scale in quant.scales:
        mantissa, exponent = math.frexp(scale)
        if mantissa != 0.5 or abs(exponent - 1) > bounds.MAX_POINT:
            raise ModelError(f"the scale of centers must be 2**-point, |point| <= {bounds.MAX_POINT}", where=t.name)
        points.append(1 - exponent)
    return tuple(points)


def _check_node(graph: Graph, node: Node) -> None:
    op = op_of(node)
    if set(node.attrs) != set(op.attrs):
        wrong = sorted(set(node.attrs) ^ set(op.attrs))
        raise ModelError(f"{op.name} has other attributes: {', '.join(wrong)} differ", where=node.name)
    if any(type(v) is not int for v in node.attrs.values()):
        raise ModelError(f"an attribute of {op.name} is not an integer", where=node.name)
    many = any(operand.many for operand in op.operands)
    count, expected = len(node.inputs), len(op.operands)
    if count != expected and not (many and count > expected):
        raise ModelError(f"{op.name} has {count} operands, expected {'at least ' * many}{expected}", where=node.name)
    if len(node.outputs) != 1:
        raise ModelError(f"{op.name} has {len(node.outputs)} outputs, expected 1", where=node.name)
    for name, value in int_attrs(node).items():
        low, high = bounds.FAR_ZEROS if op.far_zero and name == "out_zero" else _attribute_range(name)
        if not low <= value <= high:
            raise ModelError(f"{name} of {op.name} is {value}, expected {low} to {high}", where=node.name)
    tensors = graph.of(node.inputs)
    if refused := wrong_operand(op, tensors):
        raise ModelError(refused, where=node.name)
    ends = [t for t in (*tensors, *graph.of(node.outputs)) if t.role is Role.ACTIVATION]
    _check_types(op, node, tensors, ends)
    is_constant = [t.role is not Role.ACTIVATION for t in tensors]
    if is_constant != sorted(is_constant):
        raise ModelError(f"a constant operand of {op.name} comes before an activation", where=node.name)
    try:
        inferred = op.infer(int_attrs(node), [t.shape for t in tensors])
    except EdgekcError as error:
        raise ModelError(str(error), where=node.name) from error
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        # A shape rule may assume what its importer guarantees; a damaged file guarantees nothing.
        raise ModelError(f"shapes and attributes of {op.name} do not fit ({error})", where=node.name) from error
    found = [t.shape for t in graph.of(node.outputs)]
    if found != inferred:
        raise ModelError(f"output shapes {found} should be {inferred}", where=node.name)
    _check_constants(op, node, tensors, found[0][-1] if found[0] else 1)
    op.validate(view_of(graph, node))


def _check_types(op: Op, node: Node, tensors: Sequence[Tensor], ends: Sequence[Tensor]) -> None:
    """float32 where operators compute in it or move all values as they are, int16 where they have a kernel for it."""
    floats = [t.name for t in (*tensors, *ends) if t.dtype == "float32"]
    moved = op.moves and all(t.dtype == "float32" for t in ends)
    if floats and not op.single and not moved:
        raise ModelError(f"{op.name} computes in integers, and {floats[0]} is float32", where=node.name)
    if not op.wide and any(t.dtype == "int16" for t in ends):
        raise ModelError(f"{op.name} has an activation of int16, which it has no kernel for", where=node.name)


def wrong_operand(op: Op, tensors: Sequence[Tensor]) -> str:
    """What is wrong with the operands of a node in their order: a constant where none may be, or none where one must.

    Empty where they are as the operator's record says. Kernels rest on it: an argument stands for each activation, and
    a field of the struct for each constant.
    """
    for i, t in enumerate(tensors):
        operand = operand_at(op, i)
        what = f"operand {i} ({operand.name}) of {op.name}" if operand.many else f"{operand.name} of {op.name}"
        if t.role is Role.ACTIVATION:
            if operand.constant is Constant.ALWAYS:
                return f"{what} must be a constant"
        elif operand.constant is Constant.NEVER:
            return f"{what} is a constant, but must be computed at run time"
        elif operand.role not in (None, t.role):
            return f"{what} has role {t.role.value}, not {operand.role.value}"
    return ""


def _attribute_range(name: str) -> tuple[int, int]:
    """Attributes of one name mean one thing in all operators; the ends are what the C structs and kernels hold."""
    if name.endswith("multiplier"):
        return 0, 2**31 - 1
    if name.endswith("shift"):
        return -31, 30
    if name.endswith("_zero") or name in ("act_min", "act_max", "pad_value"):
        return -128, 127
    if name.startswith(("stride_", "dilation_", "filter_")):
        return 1, bounds.MAX_ACTIVATION_DIM
    if name.startswith("pad_"):
        return 0, bounds.MAX_ACTIVATION_DIM
    return (0, 1) if name == "rounding" else (-(2**31), 2**31 - 1)


def _check_constants(op: Op, node: Node, tensors: list[Tensor], channels: int) -> None:
    """What C reads through a pointer must have the pointer's type and length."""
    named = dict(zip((operand.name for operand in op.operands), tensors, strict=False))
    for c_type, field in (f for kernel in op.kernels for f in plain_fields(kernel.fields)):
        if field not in named or not c_type.endswith("*"):
            continue
        moved = op.moves and c_type == "const int8_t *"  # of the type of what moves, as validate says
        if named[field].dtype != _POINTEES.get(c_type) and not moved:
            raise ModelError(
                f"{field} of {op.name} must be {c_type.strip()}, not {named[field].dtype}", where=node.name
            )
    if not {"bias", "multiplier", "shift"} <= named.keys():
        return
    bias, multiplier, shift = (named[key] for key in ("bias", "multiplier", "shift"))
    words = [(channels,), *[(2, channels)] * op.deep]
    if bias.shape not in words or multiplier.shape not in ((1,), (channels,)) or shift.shape != multiplier.shape:
        what = f"bias {bias.shape}, multiplier {multiplier.shape} and shift {shift.shape}"
        raise ModelError(f"{what} do not fit {channels} channels", where=node.name)
    if multiplier.value.min() < 0 or shift.value.min() < -31 or shift.value.max() > 30:
        raise ModelError("a multiplier is negative, or a shift outside of -31 to 30", where=node.name)

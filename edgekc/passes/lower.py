"""A QUANTIZED graph to an INTEGER graph: float scales become multipliers and shifts, and are gone."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from ..errors import ModelError, UnsupportedError, refusal
from ..graph.ir import Graph, Node, Role, Stage, Tensor, constant, prune
from ..graph.op import OPERANDS, Constant, Op, View, int_attrs, view_of
from ..ops import IN_FLOAT, LOWER, OPS, source_of
from ..ops.legal import wrong_operand
from ..ops.shared import anchored

QUANTISE = "quantise the whole model to int8 (full integer quantisation)"


def lower(graph: Graph, rounding: str = "tflite") -> Graph:
    """Turn every node into integers.

    Args:
        rounding: "tflite" gives the bits of LiteRT's reference kernels; "double" rounds fully connected
            layers as gemmlowp does (TensorFlow Lite Micro, CMSIS-NN).

    Raises:
        ModelError: shapes in the file contradict the operators.
        UnsupportedError: an accumulator could overflow 32 bits, or an operator's case is not implemented; of every
            such operator.
    """
    lowered, found = lower_nodes(graph, rounding)
    if found:
        raise refusal(found)
    return lowered


def lower_nodes(
    graph: Graph, rounding: str = "tflite", guessed: Collection[str] = ()
) -> tuple[Graph, tuple[UnsupportedError, ...]]:
    """As `lower`, without the nodes that are refused, and with everything that stands in their way.

    Args:
        guessed: tensors of which the shapes are not certain; where they cannot be, what comes of them is left out.
    """
    graph = fold_constants(graph, rounding)
    tensors: dict[str, Tensor] = {n: t for n, t in graph.tensors.items() if t.data is None}
    nodes, found, uncertain = [], [], set(guessed)
    for node in graph.nodes:
        follows = not uncertain.isdisjoint(node.inputs)
        if follows:
            uncertain.update(node.outputs)
            if any(t.dtype == "float32" and t.data is None for t in graph.of((*node.inputs, *node.outputs))):
                continue  # a cast at the edge of what was refused
        try:
            result, constants = lower_node(graph, node, rounding)
        except UnsupportedError as error:
            error.operator = None if node.source < 0 else node.source
            found.append(error)
            continue
        except (ModelError, ArithmeticError, LookupError, TypeError, ValueError):
            if not follows:
                raise
            continue  # its shapes were guessed
        tensors.update({t.name: t for t in constants})
        nodes.append(result)
    return prune(replace(graph, stage=Stage.INTEGER, tensors=tensors, nodes=tuple(nodes))), tuple(found)


def fold_constants(graph: Graph, rounding: str) -> Graph:
    """What constants alone compute becomes a constant, by the definition: unrolled recurrences start so, with zeros."""
    tensors, nodes = dict(graph.tensors), []
    for node in graph.nodes:
        constants = all(tensors[n].data is not None for n in node.inputs)
        if not constants or node.outputs[0] in graph.sinks:
            nodes.append(node)
            continue
        # Those operands that may be no constants are taken for what is computed at run time.
        names = [n for i, n in enumerate(node.inputs) if _computed(node, i)]
        plain = {n: Tensor(n, tensors[n].shape, tensors[n].dtype, tensors[n].quant) for n in names}
        lowered, added = lower_node(replace(graph, tensors={**tensors, **plain}), node, rounding)
        known = {**tensors, **{t.name: t for t in added}}
        out, op = graph.tensors[node.outputs[0]], OPS[lowered.op]
        values = [known[n].value for n in lowered.inputs]
        value = values[0].reshape(out.shape) if op.view else op.reference(int_attrs(lowered), values)[0]
        tensors[out.name] = constant(out.name, value, Role.WEIGHTS, out.quant)
    return graph if len(nodes) == len(graph.nodes) else prune(replace(graph, tensors=tensors, nodes=tuple(nodes)))


def _computed(node: Node, position: int) -> bool:
    operands = OPERANDS[node.op]
    return operands[min(position, len(operands) - 1)].constant is Constant.NEVER


def lower_node(graph: Graph, node: Node, rounding: str = "tflite") -> tuple[Node, tuple[Tensor, ...]]:
    """One node of a QUANTIZED graph by itself: the INTEGER node, and the constants among its inputs; raises as `lower`.

    Its activations keep their names.
    """
    if source_of(node).two_roundings:
        node = replace(node, attrs={**node.attrs, "rounding": rounding})
    exact, view = view_of(graph, node), view_of(anchored.coarse(graph, node), node)
    reads_floats = any(t.dtype == "float32" and t.data is None for t in view.inputs)
    to_integers = IN_FLOAT.get(node.op)
    if not reads_floats:
        to_integers = LOWER.get(node.op, to_integers)
    if to_integers is None:
        if reads_floats:
            raise UnsupportedError(f"{node.op} of float32 has no C kernel", where=node.name, fix=QUANTISE)
        raise UnsupportedError(f"{node.op} has no integer definition", where=node.name)
    lowered = to_integers(view)
    op = OPS[lowered.op]
    if op.far_zero:
        lowered = anchored.anchored(exact, lowered)
    inputs = (*graph.of(lowered.activations), *lowered.constants)
    result = Node(lowered.op, node.name, tuple(t.name for t in inputs), node.outputs, lowered.attrs, node.source)
    if wrong := wrong_operand(op, inputs):
        raise UnsupportedError(wrong, where=node.name)
    inferred = op.infer(int_attrs(result), [t.shape for t in inputs])
    stated = [t.shape for t in view.outputs]
    if not op.view and inferred != stated:
        raise ModelError(
            f"the file gives its output shape {list(stated[0])}, its inputs make {list(inferred[0])}",
            where=f"{graph.name}: {node.name}",
        )
    _check_numbers(op, View(result, inputs, view.outputs))
    return result, lowered.constants


def _check_numbers(op: Op, view: View) -> None:
    """What would be a damaged node in a packed model is, straight from a sound source, one that is not supported."""
    try:
        op.validate(view)
    except ModelError as error:
        raise UnsupportedError(
            error.what, where=view.node.name, fix="quantise the model with a representative dataset of real inputs"
        ) from error

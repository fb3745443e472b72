"""Which operators of a QUANTIZED graph compute in float: refused, unless the user allows them."""

from __future__ import annotations

from ..errors import ModelError, UnsupportedError, refusal
from ..graph.ir import Graph, Node, consumers
from .lower import QUANTISE, lower_node

ALLOW = "--allow-float"


def is_float(graph: Graph, node: Node) -> bool:
    """Whether it reads or writes a float32 activation."""
    return any(t.dtype == "float32" and t.data is None for t in graph.of((*node.inputs, *node.outputs)))


def refuse(graph: Graph) -> None:
    """UnsupportedError of all that computes in float; one input that nothing reads is enough."""
    if has_floats(graph):
        what = "a float32 tensor that no operator computes"
        unread = UnsupportedError(what, where=graph.name, fix=f"allow it with {ALLOW}, or {QUANTISE}")
        raise refusal(refused(graph) or [unread])


def has_floats(graph: Graph) -> bool:
    return any(t.dtype == "float32" for t in graph.tensors.values())


def refused(graph: Graph) -> list[UnsupportedError]:
    """An error for each operator that computes in float, behind the passes that drop and tabulate some of them.

    Of the nodes that a source model's operator became, the first speaks for all.
    """
    found, readers, told = [], consumers(graph), set[int]()
    for node in graph.nodes:
        unread = not any(readers[name] or name in graph.sinks for name in node.outputs)
        if unread or not is_float(graph, node):  # unread: what reads it was refused itself
            continue
        if node.source >= 0 and node.source in told:
            continue
        told.add(node.source)
        error = UnsupportedError(
            f"{node.op} computes in float32", where=node.name, fix=f"allow it with {ALLOW}, or {QUANTISE}"
        )
        try:
            lower_node(graph, node)
        except UnsupportedError as reason:
            error = UnsupportedError(reason.what, where=node.name, fix=reason.fix or QUANTISE)
        except (ModelError, ArithmeticError, LookupError, TypeError, ValueError):
            pass  # of shapes that do not fit, as behind a refused batch size; lowering says so where all else is sound
        error.operator = None if node.source < 0 else node.source
        found.append(error)
    return found

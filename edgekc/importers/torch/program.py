"""The JSON of a torch.export program to one that torch may read: every text in it is of a known kind, or refused.

torch turns this file into Python: symbolic sizes are evaluated, operators are looked up by dotted paths that reach
every module that torch imports, names become the source of a function that is compiled. None of that is meant for files
of strangers, so here each text is checked by what its key says that it is; what the import does not need is left out.
"""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from ...errors import ModelError, UnsupportedError, refusal

_IDENTIFIER = re.compile(r"[A-Za-z_]\w{0,250}", re.ASCII)
_PATH = re.compile(r"[\w/:+-]{1,250}(\.[\w/:+-]{1,250}){0,30}", re.ASCII)  # of a parameter: block1-0.weight
_WORDS = re.compile(r"[\w ,.+>-]{0,200}", re.ASCII)  # of an operator's argument: "same", "ij,jk->ik"
_MODULES = re.compile(r"[\w.,;@()\[\] /:+-]{0,8000}", re.ASCII)  # which module of the user's a node comes from
_VERSION = re.compile(r"[\w.+<= -]{0,80}", re.ASCII)
_DEVICE = re.compile(r"[a-z]{1,16}")
_FLOAT = re.compile(r"-?(Infinity|NaN|inf|nan)")

# Of a program that pt2e quantised: pure functions of tensors and numbers. Those that measure ranges are not among them.
_QUANTISING = frozenset(
    f"torch.ops.quantized_decomposed.{way}_{grain}"
    for way in ("quantize", "dequantize")
    for grain in ("per_tensor.default", "per_tensor.tensor", "per_channel.default")
)
_ATEN = re.compile(r"torch\.ops\.aten\.([a-z_][a-z0-9_]*)\.([A-Za-z_][A-Za-z0-9_]*)")
_ARITHMETIC = frozenset(  # on sizes; powers and shifts are left out, since two small numbers give a huge one
    [f"_operator.{n}" for n in "add sub mul floordiv mod neg pos truediv eq ne lt le gt ge and_ or_ getitem".split()]
    + [f"torch.sym_{n}" for n in "int float max min not ite sqrt".split()]
    + ["math.trunc", "math.ceil", "math.floor"]
)
_WRAPPERS = tuple(f"torch.ops.higher_order.wrap_with_{n}" for n in ("set_grad_enabled", "autocast"))
_ARGUMENT_TYPES = re.compile(r"(Tensor|int|float|bool|number|Device|Generator|Optional|List|\[|\]|, )+")
_TEXT_ARGUMENTS = ("approximate", "padding", "rounding_mode", "mode", "reduce", "indexing", "equation", "side",
                   "assert_msg")  # fmt: skip

# A symbolic size: sympy's constructors and arithmetic on numbers of at most 18 digits, without powers and shifts.
_SYMBOL = re.compile(r"Symbol\('([suzf]\d{1,4})'(, (positive|nonnegative|integer|real|finite)=(True|False))*\)")
_RANGE_SYMBOL = re.compile(r"[suzf]\d{1,4}")
_EXPRESSION = re.compile(
    r"(?:(?<!\w)(?:[suzf]\d{1,4}|\d{1,18}|Integer|Add|Mul|Max|Min|Mod|FloorDiv|CeilDiv|CleanDiv|PythonMod|"
    r"ModularIndexing|Identity|Eq|Ne|Equality|Unequality|GreaterThan|LessThan|StrictGreaterThan|StrictLessThan|And|Or|"
    r"Not|true|false)(?!\w)|(?<!\*)\*(?!\*)|[=!<>]=|[-+/%<>(), ])*"
)
_MAX_EXPRESSION = 400
_QUANTISED = "quantise to int8 with fixed scales (static), or export the float program; edgekc compress quantises it"
_MAX_SPEC_DEPTH = 20
_CONTAINERS = ("builtins.tuple", "builtins.list", "builtins.dict", "collections.OrderedDict")


def clean_program(raw: bytes, where: str) -> bytes:
    """The same program with nothing in it but what the import needs.

    Raises:
        ModelError: it is no JSON of this format, or has a text where none can be.
        UnsupportedError: operators, arguments or inputs that edgekc does not have.
    """
    try:
        found = json.loads(raw)
        program = {key: found[key] for key in ("graph_module", "opset_version", "range_constraints", "schema_version")}
        graph_module = {key: found["graph_module"][key] for key in ("graph", "signature", "module_call_graph")}
        program["graph_module"] = graph_module
        for key in ("verifiers", "torch_version"):
            if key in found:
                program[key] = found[key]
        _walk(program, "", where)
        for key in program["range_constraints"]:
            if not _RANGE_SYMBOL.fullmatch(key):
                raise _wrong("range_constraints", key, where)
        return json.dumps(program).encode()
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        raise ModelError(f"its graph is damaged ({type(error).__name__}: {error})", where=where) from error
    except (ValueError, RecursionError) as error:
        raise ModelError(f"its graph is no JSON ({type(error).__name__})", where=where) from error


def _nodes(nodes: Sequence[Mapping[str, Any]], where: str) -> list[dict[str, Any]]:
    """All nodes of a graph, each as `_node` gives it; what is refused is refused together, an operator once."""
    kept, refused, told = [], [], set[str]()
    for index, node in enumerate(nodes):
        try:
            kept.append(_node(node, where))
        except UnsupportedError as error:
            error.operator = index
            refused += [error] if error.what not in told else []
            told.add(error.what)
    if refused:
        raise refusal(refused)
    return kept


def _node(node: Mapping[str, Any], where: str) -> dict[str, Any]:
    """A node whose operator is one of ATen's; of its metadata only the place in the user's model is kept."""
    kept = {key: value for key, value in node.items() if key != "metadata"}
    stack = (node.get("metadata") or {}).get("nn_module_stack")
    kept["metadata"] = {"nn_module_stack": stack} if isinstance(stack, str) and _MODULES.fullmatch(stack) else {}
    target = node["target"]
    known = isinstance(target, str) and (
        target in _ARITHMETIC or target in _WRAPPERS or _is_quantising(target) or _is_plain_operator(target)
    )
    if not known:
        name = _IDENTIFIER.fullmatch(str(node.get("name")))
        raise UnsupportedError(
            f"operator {str(target)[:80]!r}; supported: ATen operators on tensors and numbers",
            where=f"{where}: node {name[0]}" if name else where,
            fix=_QUANTISED if str(target).startswith("torch.ops.quantized_decomposed.") else "",
        )
    return kept


def _is_quantising(target: str) -> bool:
    """Whether this is one of pt2e's operators, and torch has it: a module that nothing else imports defines them."""
    if target not in _QUANTISING:
        return False
    import torch

    if not hasattr(torch.ops.quantized_decomposed, "quantize_per_tensor"):
        with suppress(ImportError):  # of a torch that has them no more
            importlib.import_module("torch.ao.quantization.fx._decomposed")
    return hasattr(torch.ops.quantized_decomposed, "quantize_per_tensor")


def _is_plain_operator(target: str) -> bool:
    """Whether this is an operator of ATen that takes tensors and numbers: no file names, objects or functions."""
    import torch

    match = _ATEN.fullmatch(target)
    packet = getattr(torch.ops.aten, match[1], None) if match else None
    if match is None or not isinstance(packet, torch._ops.OpOverloadPacket):
        return False
    overload = getattr(packet, match[2], None)
    if not isinstance(overload, torch._ops.OpOverload):
        return False
    for argument in (*overload._schema.arguments, *overload._schema.returns):
        kind = str(argument.type)
        is_text = "str" in kind and argument.name in _TEXT_ARGUMENTS
        if not is_text and not _ARGUMENT_TYPES.fullmatch(kind):
            return False
    return True


def _walk(value: Any, key: str, where: str) -> None:
    """Check every text below `value`, which stands under `key`."""
    if isinstance(value, dict):
        for name, item in value.items():
            if name in _REFUSED:
                raise UnsupportedError(f"{_REFUSED[name]}; supported: plain tensors", where=where)
            if name in ("custom_obj_values", "treespec_namedtuple_fields") and item:
                raise UnsupportedError("objects of user-defined classes; supported: plain tensors", where=where)
            if not _PATH.fullmatch(name):
                raise _wrong(key, name, where)
            if name == "nodes":  # of the graph, or of one that an operator of _WRAPPERS runs
                value[name] = item = _nodes(item, where)
            _walk(item, name, where)
    elif isinstance(value, list):
        for item in value:
            _walk(item, key, where)
    elif isinstance(value, str):
        check = _TEXTS.get(key)
        if check is None or not check(value):
            raise _wrong(key, value, where)
    elif isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise _wrong(key, str(value), where)


def _wrong(key: str, value: str, where: str) -> ModelError:
    return ModelError(f"its graph has {value[:80]!r} as {key or 'a key'!r}, which no such file has", where=where)


def _is_expression(text: str) -> bool:
    """Whether torch may evaluate this symbolic size."""
    return len(text) <= _MAX_EXPRESSION and _EXPRESSION.fullmatch(_SYMBOL.sub(r"\1", text)) is not None


def _is_spec(text: str) -> bool:
    """Whether this describes nested tuples, lists and dicts, as the inputs and outputs of a module are."""
    version, spec = json.loads(text)
    return version == 1 and _is_node(spec, 0)


def _is_node(spec: Any, depth: int) -> bool:
    if not isinstance(spec, dict) or set(spec) != {"type", "context", "children_spec"} or depth > _MAX_SPEC_DEPTH:
        return False
    if spec["type"] is not None and spec["type"] not in _CONTAINERS:
        return False
    context = spec["context"]
    if context is not None:
        names = json.loads(context)
        if names is not None and not (
            isinstance(names, list) and all(isinstance(n, str) and _IDENTIFIER.fullmatch(n) for n in names)
        ):
            return False
    return isinstance(spec["children_spec"], list) and all(
        _is_node(child, depth + 1) for child in spec["children_spec"]
    )


def _is_name(text: str) -> bool:
    """Whether this can stand in Python source as the name of a value; empty where there is none."""
    import keyword

    return not text or (_IDENTIFIER.fullmatch(text) is not None and not keyword.iskeyword(text))


def _kind(pattern: re.Pattern[str]) -> Callable[[str], bool]:
    return lambda text: pattern.fullmatch(text) is not None


# Keys under which a file holds more than tensors.
_REFUSED = {
    "as_operator": "an operator as an argument",
    "as_custom_obj": "an object of a user-defined class",
    "custom_obj": "an object of a user-defined class",
    "token": "an effect token",
}
# What a text is, by the key that it stands under. No text may stand under any other.
_TEXTS: Mapping[str, Callable[[str], bool]] = {
    "target": lambda text: True,  # checked with its node
    "name": _is_name,
    "as_name": _is_name,
    "forward_arg_names": _is_name,
    "parameter_name": _kind(_PATH),
    "buffer_name": _kind(_PATH),
    "tensor_constant_name": _kind(_PATH),
    "user_input_name": _kind(_PATH),
    "fqn": lambda text: not text or _PATH.fullmatch(text) is not None,
    "as_string": _kind(_WORDS),
    "as_strings": _kind(_WORDS),
    "as_float": _kind(_FLOAT),
    "as_floats": _kind(_FLOAT),
    "type": _kind(_DEVICE),
    "expr_str": _is_expression,
    "in_spec": _is_spec,
    "out_spec": _is_spec,
    "nn_module_stack": _kind(_MODULES),
    "verifiers": _kind(re.compile(r"[A-Z_]{1,40}")),
    "torch_version": _kind(_VERSION),
}

"""One ATen call of a torch.export program: its place in the user's model, its arguments, its value if constant."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...graph.ir import Array
from ..builder import Builder
from ..value import Value, constant_value


@dataclass(frozen=True, slots=True)
class Call:
    """One ATen call: its arguments by the schema's names, tensors as values."""

    b: Builder
    args: Mapping[str, Any]
    node: Any  # of the program

    def value(self, key: str) -> Value:
        found = self.args.get(key)
        if isinstance(found, (int, float)) and not isinstance(found, bool):
            return constant_value(np.array(float(found)), "")
        if not isinstance(found, Value):
            raise self.b.wrong(f"argument {key!r} is missing, or a further output of an operator")
        return found

    def optional(self, key: str) -> Value | None:
        return None if self.args.get(key) is None else self.value(key)

    def values(self, key: str) -> list[Value]:
        """A list of tensors."""
        found = self.args.get(key) or []
        if not all(isinstance(v, Value) for v in found):
            raise self.b.wrong(f"{key}: a part is no tensor")
        return list(found)

    def ints(self, key: str) -> list[int]:
        found = self.args.get(key)
        values = [found] if isinstance(found, int) else list(found or [])
        if not all(isinstance(v, int) for v in values):
            raise self.b.unsupported(f"{key} {values}", "numbers")
        return values

    def spatial(self, key: str, count: int, default: Sequence[int] | None = None) -> list[int]:
        """A number for each of `count` spatial axes; one stands for all."""
        values = self.ints(key) or list(default or [])
        values = values * count if len(values) == 1 else values
        if len(values) != count:
            raise self.b.unsupported(f"{key} {values}", f"{count} spatial axes")
        return values

    def axis(self, key: str, rank: int) -> int:
        """An axis of a tensor of so many dimensions, counted from the front."""
        (axis,) = self.ints(key)
        if not -rank <= axis < rank:
            raise self.b.wrong(f"axis {axis} does not exist in {rank} dimensions")
        return axis % rank

    def number(self, key: str) -> float | None:
        found = self.args.get(key)
        if found is None or isinstance(found, (int, float)):
            return found
        raise self.b.unsupported(f"{key} that is computed at run time", "numbers")


def title(node: Any) -> str:
    """The node, and the module of the user's model that it comes from."""
    stack = list((node.meta.get("nn_module_stack") or {}).values())
    path, kind = stack[-1][:2] if stack else ("", "")
    kind = kind if isinstance(kind, str) else getattr(kind, "__name__", str(kind))
    module = f" in module {path!r} ({kind.rsplit('.', 1)[-1]})" if path else ""
    return f"node {node.name} ({op_name(node)}){module}"


def op_name(node: Any) -> str:
    schema = getattr(node.target, "_schema", None)
    return schema.name.replace("::", ".") if schema is not None else getattr(node.target, "__name__", str(node.target))


# Operators that are computed here when all their inputs are constants: those that only read what they are given.
FOLDABLE = frozenset(
    (
        "abs add addmm alias amax amin any arange argmax argmin as_strided_copy bitwise_and bitwise_not bitwise_or "
        "bmm cat ceil clamp clamp_max clamp_min clone constant_pad_nd contiguous convolution copy cos cumsum detach "
        "diagonal div elu embedding empty empty_permuted eq erf exp exp2 expand expm1 eye fill flip floor fmod full "
        "full_like gather ge gelu gt hardsigmoid hardswish hardtanh index index_select isinf isnan le leaky_relu "
        "lift_fresh_copy linalg_vector_norm linear linspace log log10 log1p log2 logical_and logical_not logical_or "
        "logsumexp lt masked_fill matmul maximum mean minimum mm mul native_batch_norm "
        "_native_batch_norm_legit_no_training ne neg ones ones_like pad permute pow prod reciprocal relu remainder "
        "repeat round rsqrt scalar_tensor select select_scatter sigmoid sign silu sin slice slice_scatter _softmax "
        "softplus split split_with_sizes sqrt squeeze stack sub sum t tan tanh _to_copy transpose tril triu trunc "
        "unbind _unsafe_view unsqueeze var view view_as_real where zeros zeros_like"
    ).split()
)


def array_of(tensor: Any) -> Array:
    """The values of a tensor; bfloat16, which numpy lacks, as float32."""
    import torch

    if tensor.dtype is torch.bfloat16:
        tensor = tensor.float()
    array: Array = tensor.detach().cpu().resolve_conj().resolve_neg().contiguous().numpy()
    return array


def is_constant(node: Any, args: list[Any]) -> bool:
    """No activation among the arguments, and nothing random in the operator."""
    import torch

    def leaves(items: Iterable[Any]) -> Iterable[Any]:
        for item in items:
            yield from leaves(item) if isinstance(item, list) else (item,)

    if torch.Tag.nondeterministic_seeded in node.target.tags:
        return False
    return all(not isinstance(a, Value) or a.data is not None for a in leaves(args)) and None not in args[:1]


def evaluate(b: Builder, node: Any, args: Any, kwargs: Any) -> Any:
    """What an operator of FOLDABLE makes of constants; torch knows the size before, so nothing large is tried."""
    import torch

    if op_name(node).removeprefix("aten.") not in FOLDABLE:
        raise b.unsupported("this operator on constants", "arithmetic, reshapes, slices, fills")
    values = node.meta.get("val")
    for value in values if isinstance(values, (tuple, list)) else (values,):
        if isinstance(value, torch.Tensor):
            if not all(isinstance(d, int) for d in value.shape):
                raise b.unsupported(f"a constant of a free shape {list(value.shape)}", "fixed shapes")
            b.count_made(value.numel() * value.element_size())

    sources = [a.source for a in args if isinstance(a, Value)]

    def tensor(arg: Any) -> Any:
        if isinstance(arg, list):
            return [tensor(a) for a in arg]
        return torch.from_numpy(np.array(arg.data)) if isinstance(arg, Value) else arg

    try:
        if op_name(node) in ("aten.empty", "aten.empty_permuted"):  # of no values yet: what is not written over is 0
            result = torch.zeros(values.shape, dtype=values.dtype)
        else:
            result = node.target(*[tensor(a) for a in args], **{k: tensor(v) for k, v in kwargs.items()})
    except Exception as error:
        raise b.wrong(f"cannot be computed from its constants ({type(error).__name__})") from error
    if isinstance(result, torch.Tensor):
        return constant_value(array_of(result), sources[0] if sources else "")
    if isinstance(result, (tuple, list)):
        return tuple(constant_value(array_of(r), "") if isinstance(r, torch.Tensor) else r for r in result)
    return result

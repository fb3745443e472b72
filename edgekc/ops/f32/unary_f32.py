"""Functions of one value in single precision: the definition and its C kernels."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from ...errors import ModelError
from ...graph.ir import Array
from ...graph.op import Case, IntAttrs, Kernel, Lowered, Op, Shape, View
from ..shared import single
from ..shared.checks import activation_inputs
from ..shared.operands import X

ATTRS = ("function", "alpha", "low", "high")
_ONE, _HALF = np.float32(1), np.float32(0.5)
_GELU = np.float32(0.797884583), np.float32(0.044715)  # sqrt(2 / pi), and what follows from gelu's formula


def _hard_swish(x: Array, alpha: np.float32) -> Array:
    return x * single.clamped(x + np.float32(3), np.float32(0), np.float32(6)) / np.float32(6)


def _gelu(x: Array, alpha: np.float32) -> Array:
    inner = x + _GELU[1] * x * x * x
    return _HALF * x * (_ONE + single.tanh(_GELU[0] * inner))


Function = Callable[[Array, np.float32], Array]
# Their places are their numbers, in ek_f32.h too.
FUNCTIONS: dict[str, Function] = {
    "relu": lambda x, alpha: x,
    "abs": lambda x, alpha: np.abs(x),
    "neg": lambda x, alpha: -x,
    "square": lambda x, alpha: x * x,
    "leaky_relu": lambda x, alpha: np.where(x < 0, x * alpha, x),
    "hard_swish": _hard_swish,
    "exp": lambda x, alpha: single.exp(x),
    "logistic": lambda x, alpha: single.logistic(x),
    "tanh": lambda x, alpha: single.tanh(x),
    "elu": lambda x, alpha: np.where(x < 0, single.exp(x) - _ONE, x),
    "gelu": _gelu,
    "log": lambda x, alpha: single.log(x),
    "sqrt": lambda x, alpha: single.sqrt(x),
    "rsqrt": lambda x, alpha: _ONE / single.sqrt(np.maximum(x, single.TINY)),
    "floor": lambda x, alpha: single.whole(x, lambda y, rest: y - (rest < 0)),
    "ceil": lambda x, alpha: single.whole(x, lambda y, rest: y + (rest > 0)),
    "round": lambda x, alpha: single.whole(x, lambda y, rest: np.round(y + rest)),
    "gelu_erf": lambda x, alpha: _HALF * x * (_ONE + single.erf(x * np.float32(0.707106769))),
    "sin": lambda x, alpha: single.wave(x, 0),
    "cos": lambda x, alpha: single.wave(x, 1),
}
_NUMBER = {name: i for i, name in enumerate(FUNCTIONS)}
# Each of these is a file of its own: a network carries what it computes, and a ReLU in float no exponential.
_KERNELS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {  # functions, and the sources that they call
    "ek_unary_f32": (("relu", "abs", "neg", "square", "leaky_relu", "hard_swish"), ()),
    "ek_curve_f32": (("exp", "logistic", "tanh", "elu", "gelu", "log"), ("ek_exp_f32",)),
    "ek_root_f32": (("sqrt", "rsqrt"), ("ek_sqrt_f32",)),
    "ek_round_f32": (("floor", "ceil", "round"), ()),
    "ek_gelu_f32": (("gelu_erf",), ("ek_exp_f32",)),
    "ek_wave_f32": (("sin", "cos"), ()),
}


def infer(attrs: IntAttrs, shapes: Sequence[Shape]) -> list[Shape]:
    return [tuple(shapes[0])]


def reference(attrs: IntAttrs, inputs: Sequence[Array]) -> list[Array]:
    function = list(FUNCTIONS.values())[attrs["function"]]
    value = function(inputs[0], single.of_bits(attrs["alpha"]))
    return [single.clamped(value.astype(np.float32), single.of_bits(attrs["low"]), single.of_bits(attrs["high"]))]


def attrs_of(name: str, alpha: float = 0.0, activation: str = "none") -> dict[str, int]:
    limits = single.limits(activation)
    return dict(function=_NUMBER[name], alpha=single.bits_of(alpha), **limits)


def lower(view: View) -> Lowered:
    single.require_single(view)
    attrs, name = view.node.attrs, view.node.op
    if name == "relu_0_to_1":
        unit = dict(low=single.bits_of(0), high=single.bits_of(1))
        return Lowered("unary_f32", {**attrs_of("relu"), **unit}, activation_inputs(view))
    if name == "gelu" and not view["approximate"]:
        name = "gelu_erf"
    alpha, activation = attrs.get("alpha", 0.0), attrs.get("activation", "none")
    assert isinstance(alpha, (int, float)) and isinstance(activation, str)
    if name != "relu":
        activation = "none"
    return Lowered("unary_f32", attrs_of(name, alpha, activation), activation_inputs(view))


def validate(view: View) -> None:
    single.check_all(view)
    single.check_limits(view)
    if not 0 <= view["function"] < len(FUNCTIONS):
        raise ModelError(f"function {view['function']} of unary_f32, expected 0 to {len(FUNCTIONS) - 1}")


def _kernel(symbol: str, names: tuple[str, ...], sources: tuple[str, ...]) -> Kernel:
    numbers = frozenset(_NUMBER[name] for name in names)
    return Kernel(
        symbol=symbol,
        header="ek_f32.h",
        struct="ek_unary_f32_params",
        fields=(("uint32_t", "count"), ("uint32_t", "function"), *(("int32_t", name) for name in ATTRS[1:])),
        params=lambda view: dict(count=math.prod(view.x.shape), **{name: view[name] for name in ATTRS}),
        accepts=lambda view: view["function"] in numbers,
        in_place=lambda view: (0,),
        sources=sources,
    )


def cases(rng: np.random.Generator) -> list[Case]:
    out = []
    for name in FUNCTIONS:
        for k, (fill, x) in enumerate(single.reals(rng, (1, 3, 5, 7))):
            activation = ("none", "relu6", "relu", "relu_n1_to_1")[k] if name == "relu" else "none"
            out.append(Case(f"{name}-{fill}", attrs_of(name, 0.3, activation), (x,)))
        steps = np.linspace(-12, 12, 257).astype(np.float32)[None]
        out.append(Case(f"{name}-steps", attrs_of(name, -0.2, "relu6" if name == "relu" else "none"), (steps,)))
        out.append(Case(f"{name}-one", attrs_of(name, 1.5), (np.full((1, 1), 1e-3, np.float32),)))
    return out


OP = Op(
    name="unary_f32",
    code=102,
    attrs=ATTRS,
    operands=(X,),
    infer=infer,
    reference=reference,
    kernels=tuple(_kernel(symbol, names, sources) for symbol, (names, sources) in _KERNELS.items()),
    validate=validate,
    cases=cases,
    single=True,
)
IN_FLOAT = dict.fromkeys((*(name for name in FUNCTIONS if name != "gelu_erf"), "relu_0_to_1"), lower)

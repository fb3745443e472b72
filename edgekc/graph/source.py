"""What an operator of a source model is: one record of what it computes in real numbers and of what it is lowered to.

Nodes of the FLOAT and QUANTIZED stages are named after these; nodes of the INTEGER stage after an `Op`. Most source
operators have an `Op` of their own beside them in the same file of `ops/`; those that become a table share one.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from .ir import Array, Quant, Tensor
from .op import OPERANDS, Lowered, Operand, View

Tie = tuple[Tensor, Array, Array]  # an activation, its channels, and the output's channels that they are one with


class Reads(enum.Enum):
    """Which input channels a filter reads."""

    ALL = "all"
    GROUP = "group"  # those of its group
    ONE = "one"  # depthwise


@dataclass(frozen=True, slots=True)
class Filters:
    """The weights of a layer with operands x, weights and bias: one filter for each output channel."""

    axis: int  # of the weights in the FLOAT and QUANTIZED stages: counts filters
    reads: Reads
    window: bool  # filters have a height and a width, axes 1 and 2, and slide over an image
    transposed: bool = False  # they slide over the output: an output pixel reads a part of the taps

    @property
    def dense_window(self) -> bool:
        """A convolution whose filters read every channel, with all taps for every output pixel."""
        return self.window and self.reads is Reads.ALL and not self.transposed

    @property
    def depthwise(self) -> bool:
        return self.reads is Reads.ONE


def all_stay(view: View) -> Sequence[Tie] | None:
    """The ties of an operator that mixes channels in a way that nobody described: none can be removed."""
    return None


@dataclass(frozen=True, slots=True)
class FloatHalf:
    """An operator in real numbers.

    Attributes:
        compute: THE definition: float32 numpy, the output before a fused activation, from all operands.
        torch: the same with gradients; its first argument is the module `torch`, which `ops/` never imports.
        ties: output channels that are one with channels of an activation, and are removed with them; None: all
            channels of all its tensors must stay.
        shares_scale: input and output have one scale and zero point: its int8 kernel copies or compares bytes.
        apart: how many operands in front keep a scale of their own where the others share one.
        numbers: quantisation of the first operand, of whole numbers by which it chooses; UnsupportedError where int8
            does not hold them.
        fixed_quant: the only quantisation of the output that its int8 kernel has.
        counts: its output is whole numbers: int32 with a scale of 1 in other stages.
        masks: how a constant that is the lowest number says which values a softmax is to leave out: where it is
            "added", if not to all, or "chosen"; empty: it does not.
        constants: its constants in the QUANTIZED stage, from the quantisation of its activations by name; None: those
            that are real become int8, with a scale and zero point each.
        keeps_words: its second operand is a state, and the front of its output what becomes of it: 16 bits for each
            value, which in other stages are two bytes of it.
        scales_along: a positive factor on a channel of its input is the same factor on that channel of its output.
    """

    compute: Callable[[View, Sequence[Array]], Array]
    torch: Callable[[Any, View, Sequence[Any]], Any]
    ties: Callable[[View], Sequence[Tie] | None] = all_stay
    shares_scale: bool = False
    apart: int = 0
    numbers: Callable[[View], Quant] | None = None
    fixed_quant: Quant | None = None
    counts: bool = False
    masks: Literal["", "added", "chosen"] = ""
    constants: Callable[[View, Mapping[str, Quant]], Sequence[Tensor]] | None = None
    keeps_words: bool = False
    scales_along: bool = False


@dataclass(frozen=True, slots=True)
class SourceOp:
    """An operator of the FLOAT and QUANTIZED stages.

    Attributes:
        lower: a QUANTIZED node turned into integers. None: a pass must have removed it before.
        floats: None: it is met in quantised models only.
        filters: of a layer with weights; None: it has none.
        clamps: its int8 kernel can clamp, so that an activation behind it is folded into it.
        is_activation: it is nothing but the activation that its attribute names.
        view: the output is the input under another shape.
        makes_probabilities: of scores, or names the best of them; training looks at the scores.
        two_roundings: runtimes round it in two ways, and `--rounding` says which one is meant.
        splits_batch: one sample becomes several, or several become one.
        becomes: the operator that it is lowered to; empty: that of its name.
        open_ended: its output may have room behind what it computes: 0 here, and in LiteRT what was there before.
        direct: of a node that has no integers yet, the output from the first input's values.
        operands: its inputs, in order; empty: those of the `Op` of its name, less those that lowering adds.
    """

    name: str
    lower: Callable[[View], Lowered] | None
    floats: FloatHalf | None = None
    filters: Filters | None = None
    clamps: bool = True
    is_activation: bool = False
    view: bool = False
    makes_probabilities: bool = False
    two_roundings: bool = False
    splits_batch: bool = False
    becomes: str = ""
    open_ended: bool = False
    direct: Callable[[View, Array], Array] | None = None
    operands: tuple[Operand, ...] = ()

    @property
    def joins(self) -> bool:
        """Whether it takes any number of activations."""
        return any(operand.many for operand in OPERANDS[self.name])

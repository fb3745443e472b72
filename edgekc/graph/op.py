"""What an operator is: one record that holds its shape rule, its integer definition and its C kernels.

Every file in `ops/` builds one `Op`; passes, planner, generator and tests read only these records, so
adding an operator touches one file and one word in `ops/__init__.py`.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ..errors import ModelError
from .ir import Array, Graph, Node, Role, Tensor
from .scratch import Regions

Shape = tuple[int, ...]
IntAttrs = Mapping[str, int]
Number = int | str  # a number, or the name of a constant operand whose address the C struct holds, or LAID_OUT
Param = Number | Mapping[str, Number]  # the latter of a nested struct
LAID_OUT = "laid out"  # the address of what Kernel.lays_out made


@dataclass(frozen=True, slots=True)
class Learned:
    """A number of a kernel's parameters that training changes, and what the kernel's arithmetic is defined for.

    Attributes:
        low: the least that it may be.
        high: the most.
        left: another learned number, by which its negative is shifted to the left.
        most: what that may give at most.
    """

    low: int
    high: int
    left: str = ""
    most: int = 0


MULTIPLIER, RIGHT_SHIFT = Learned(0, 2**31 - 1), Learned(-31, 0)


@dataclass(frozen=True, slots=True)
class Struct:
    """A C struct that parameters of several operators nest (runtime_c/include/ek_layer.h)."""

    name: str
    fields: tuple[Field, ...]  # in the struct's order; a test compares the header


Field = tuple[str | Struct, str]  # C type, or a struct that is nested; name


def plain_fields(fields: Sequence[Field]) -> Iterator[tuple[str, str]]:
    """(C type, name) of all fields, those of nested structs in their place."""
    for ctype, name in fields:
        if isinstance(ctype, Struct):
            yield from plain_fields(ctype.fields)
        else:
            yield ctype, name


class Constant(enum.Enum):
    """Whether an operand is a value that the model holds, or one that is computed at run time."""

    NEVER = "never"
    MAYBE = "maybe"  # kernels for either
    ALWAYS = "always"


@dataclass(frozen=True, slots=True)
class Operand:
    """One input of an operator. Those that may be constants come behind those that never are."""

    name: str
    constant: Constant = Constant.NEVER
    role: Role | None = None  # of a constant, which names its section in the .ekc; None: any role
    many: bool = False  # one or more; the last of its operator

    def __str__(self) -> str:
        return f"{self.name}*" if self.many else self.name


# The operands of every operator, by its name; `edgekc/ops/__init__.py` fills it from their records.
OPERANDS: dict[str, tuple[Operand, ...]] = {}


@dataclass(frozen=True, slots=True)
class View:
    """One node with its tensors at hand: what shape rules, kernels and passes look at."""

    node: Node
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    operands: tuple[Operand, ...] = ()  # empty: those of the node's operator; a packed layer made dense has others
    room: int | None = None  # bytes of scratch for what a kernel holds at a time; None: as many as make it fast

    def held(self, most: int) -> int:
        """Bytes that a kernel may hold at a time, of those that make it fast."""
        return most if self.room is None else min(most, self.room)

    def __getitem__(self, key: str) -> int:
        return self.node.int_attr(key)

    def operand(self, name: str) -> Tensor:
        """The input of this name; ModelError where the node leaves it out, KeyError where its operator has none."""
        names = self._names()
        if name not in names:
            raise KeyError(f"{self.node.op} has the operands {', '.join(names)}, but not {name}")
        if names.index(name) >= len(self.inputs):
            raise ModelError(f"{self.node.op} has no {name}", where=self.node.name)
        return self.inputs[names.index(name)]

    def has(self, name: str) -> bool:
        """Whether the node's operator has an operand of this name, and the node does not leave it out."""
        return name in self._names()[: len(self.inputs)]

    def _names(self) -> list[str]:
        return [operand.name for operand in self.operands or OPERANDS[self.node.op]]

    @property
    def x(self) -> Tensor:
        """The first input, whatever its name."""
        return self.inputs[0]

    @property
    def weights(self) -> Tensor:
        return self.operand("weights")

    @property
    def bias(self) -> Tensor:
        return self.operand("bias")

    @property
    def multiplier(self) -> Tensor:
        return self.operand("multiplier")

    @property
    def shift(self) -> Tensor:
        return self.operand("shift")

    @property
    def templates(self) -> Tensor:
        return self.operand("templates")

    @property
    def indices(self) -> Tensor:
        return self.operand("indices")

    @property
    def pairs(self) -> Tensor:
        return self.operand("pairs")

    @property
    def centers(self) -> Tensor:
        return self.operand("centers")

    @property
    def out(self) -> Tensor:
        return self.outputs[0]


def view_of(graph: Graph, node: Node) -> View:
    """A node of the graph with its tensors."""
    return View(node, tuple(graph.of(node.inputs)), tuple(graph.of(node.outputs)))


@dataclass(frozen=True, slots=True)
class Lowered:
    """A QUANTIZED node turned into integers: the INTEGER node's attributes and constant operands.

    `constants` are appended to the inputs after `activations`, in the operand order of the Op.
    """

    op: str
    attrs: dict[str, int]
    activations: tuple[str, ...]
    constants: tuple[Tensor, ...] = ()


@dataclass(frozen=True, slots=True)
class Interval:
    """What values each channel (last axis) of a tensor can take: int64 arrays of shape (channels,)."""

    low: Array
    high: Array

    @property
    def constant(self) -> Array:
        """bool (channels,): the channel always has one value."""
        return np.asarray(self.low == self.high)


@dataclass(frozen=True, slots=True)
class Kernel:
    """A C function that computes an operator, and how to call it.

    The C signature is `void symbol(const STRUCT *p, const int8_t *in0[, const int8_t *in1 ...], int8_t *out
    [, void *scratch])`: activations in node order, `scratch` only where `scratch` is given. Where that has more
    than one region, the first parameter is `const symbol_params *params`: a STRUCT `layer`, and the regions' offsets
    (`scratch.py`).
    """

    symbol: str  # also the stem of the source file in runtime_c/kernels/
    header: str  # in runtime_c/include/, declares STRUCT and symbol
    struct: str
    fields: tuple[Field, ...]  # in the struct's order; a test compares the header
    params: Callable[[View], dict[str, Param]]  # a value for every field
    needs: frozenset[str] = frozenset()  # core features: dsp, mve, neon, ...
    accepts: Callable[[View], bool] = lambda view: True
    scratch: Callable[[View], Regions] | None = None  # of the same names for every layer
    # Indices of the activation operands whose buffer the output may overwrite, starting at the same byte. It
    # must hold for exactly this geometry.
    in_place: Callable[[View], tuple[int, ...]] = lambda view: ()
    sources: tuple[str, ...] = ()  # further files in runtime_c/kernels/ that the symbol calls
    counted_cost: Callable[[View], float] | None = None  # estimated cycles, to choose between kernels
    # uint8: the layer's constants in the order in which the kernel reads them, kept beside the packed model.
    lays_out: Callable[[View], Array] | None = None
    # Constant operands by name, each as the kernel reads it: as many bytes as the packed model has of it, in another
    # order or two in one. The C array holds them in place of the packed model's.
    rewrites: Callable[[View], dict[str, Array]] | None = None

    def within(self, room: int) -> Kernel:
        """The same C function with less scratch: it holds at most so many bytes at a time, if it can do with them."""

        def bound(view: View) -> View:
            return replace(view, room=room)

        scratch, cost = self.scratch, self.counted_cost
        return replace(
            self,
            params=lambda view: self.params(bound(view)),
            accepts=lambda view: self.accepts(bound(view)),
            scratch=None if scratch is None else lambda view: scratch(bound(view)),
            in_place=lambda view: self.in_place(bound(view)),
            counted_cost=None if cost is None else lambda view: cost(bound(view)),
        )

    def struct_of(self, regions: Regions) -> str:
        """The C type of what the kernel's first parameter points to."""
        return f"{self.symbol}_params" if len(regions) > 1 else self.struct


@dataclass(frozen=True, slots=True)
class Case:
    """One test case of an operator: integer attributes and operand arrays, activations first."""

    name: str
    attrs: dict[str, int]
    inputs: tuple[Array, ...]


@dataclass(frozen=True, slots=True)
class ChannelRule:
    """How channels (the last axis) can be taken out of an operator without changing any remaining output.

    Attributes:
        needs: given which output channels are kept (bool (oc,)) and what is known of each activation,
            which channels of each activation must be there.
        slice: given the masks of the activations and of the output, the same node's constant operands
            without the dropped channels; what a dropped constant channel contributed is moved into the bias.
        same: activations and output must keep the same channels.
        attrs: attributes that change with the number of channels kept.
    """

    needs: Callable[[View, Array, Sequence[Interval | None]], list[Array]]
    slice: Callable[[View, Sequence[Array], Array, Sequence[Interval | None]], list[Tensor]]
    same: bool = False
    attrs: Callable[[View, int], dict[str, int]] = lambda view, channels: {}


def full_range(view: View, inputs: Sequence[Interval | None]) -> Interval:
    """The interval of an output about which nothing is known."""
    channels = view.out.shape[-1] if view.out.shape else 1
    info = np.iinfo(np.int64 if view.out.dtype == "float32" else view.out.dtype)
    return Interval(np.full(channels, info.min, np.int64), np.full(channels, info.max, np.int64))


class Rows(enum.Enum):
    """Which rows of its images (n, h, w, c) a row of an operator's output needs."""

    NONE = "none"  # any of them, or it has no rows
    SAME = "same"  # the same row of every activation, whose height is the output's
    WINDOW = "window"  # those that `window` of its kernels' parameters says


@dataclass(frozen=True, slots=True)
class Op:
    """An operator of the INTEGER stage.

    Attributes:
        code: its number in .ekc files; never reused.
        attrs: names of its integer attributes, in the order in which .ekc stores them.
        operands: its inputs, in order.
        infer: output shapes from the shapes of all inputs. Raises ModelError on shapes that cannot be.
        reference: THE definition: integer numpy, outputs from inputs. Activations have their leading batch
            axis and any batch size: the definition maps each sample by itself.
        weights: of a layer: its weights as integers (oc, kh, kw, ic), (kh, kw, oc) or (oc, ic), from the attributes
            and the constant operands.
        packs: the operator whose weights it holds in another form; empty: it is none such.
        macs: multiply-accumulates of one inference.
        ranges: per-channel value intervals of the output (a sound over-approximation), for channel folding.
        channels: the rule for taking channels out of a node; None: no channel of it is ever removed.
        validate: what the constants and attributes of a node must satisfy beyond types, shapes and ranges, so
            that no kernel overflows; ModelError where they do not (a damaged or hand-made file).
        view: the output is the input's bytes under another shape; no code runs.
        tabulates: each byte of the output is the entry of its table at the input's byte.
        elementwise: each value of the output depends on those of the inputs at its place alone, as they broadcast.
        order: of an operator that does nothing but copy: which value of its first input's sample each value of the
            output's sample is, int64 (values,). None: it is none such.
        single: its activations are float32, the output at least; those of others never are, unless they move values.
        moves: it copies values as they are, which may be float32 then.
        rows: what a row of its output needs, for layers that run by rows (generate/rows.py). Its kernels' parameters
            then change with the rows of a call in the window's heights alone, or in a number that counts values.
        wide: its activations may be int16; `validate` says which of them.
        deep: its biases may have two words each: low ones and high ones, (2, oc).
        far_zero: its output's zero point may lie beyond int8 (ops/shared/anchored.py).
        joins_at_most: how many inputs its kernels put behind one another along `axis`; several nodes do it for more.
            0: it does no such thing.
        learned: numbers of its kernels' parameters, by the field's name, that training changes, beside zero points and
            activations (generate/blobs.py). In a blob they may be anything in their ranges; all others are code.
    """

    name: str
    code: int
    attrs: tuple[str, ...]
    operands: tuple[Operand, ...]
    infer: Callable[[IntAttrs, Sequence[Shape]], list[Shape]]
    reference: Callable[[IntAttrs, Sequence[Array]], list[Array]]
    kernels: tuple[Kernel, ...] = ()
    weights: Callable[[IntAttrs, Sequence[Array]], Array] | None = None
    packs: str = ""
    macs: Callable[[View], int] = lambda view: 0
    ranges: Callable[[View, Sequence[Interval | None]], Interval] = full_range
    channels: Callable[[View], ChannelRule | None] = lambda view: None
    validate: Callable[[View], None] = lambda view: None
    view: bool = False
    tabulates: bool = False
    elementwise: bool = False
    order: Callable[[View], Array] | None = None
    joins_at_most: int = 0
    single: bool = False
    rows: Rows = Rows.NONE
    moves: bool = False
    wide: bool = False
    deep: bool = False
    far_zero: bool = False
    learned: Callable[[View], Mapping[str, Learned]] = lambda view: {}
    cases: Callable[[np.random.Generator], list[Case]] = field(default=lambda rng: [])


def computed(op: Op, count: int) -> range:
    """How many of a node's `count` inputs may be computed at run time; they come first, the others are constants."""
    kinds = [operand.constant for operand in op.operands]
    kinds += [kinds[-1]] * (count - len(kinds))
    fewest = sum(kind is Constant.NEVER for kind in kinds)
    return range(fewest, fewest + sum(kind is Constant.MAYBE for kind in kinds) + 1)


def operand_at(op: Op, index: int) -> Operand:
    """The record of a node's input; the last one stands for all behind it where it is `many`."""
    return op.operands[min(index, len(op.operands) - 1)]


def int_attrs(node: Node) -> dict[str, int]:
    """The attributes of an INTEGER node, all of them ints."""
    return {key: node.int_attr(key) for key in node.attrs}

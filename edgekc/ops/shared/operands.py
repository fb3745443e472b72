"""The operands that operators have in common: what each is called, and what it is where the model holds its value."""

from __future__ import annotations

from ...graph.ir import Role
from ...graph.op import Constant, Operand

X = Operand("x")
PARTS = Operand("x", many=True)
A = Operand("a")
B = Operand("b", Constant.MAYBE, Role.WEIGHTS)
# Of source operators that do not commute: either may be the constant, which is put last when it is lowered.
EITHER_A, EITHER_B = Operand("a", Constant.MAYBE, Role.WEIGHTS), B
WEIGHTS = Operand("weights", Constant.ALWAYS, Role.WEIGHTS)
TABLE = Operand("table", Constant.ALWAYS, Role.REQUANT)
TEMPLATES = Operand("templates", Constant.ALWAYS, Role.CODEBOOK)
INDICES = Operand("indices", Constant.ALWAYS, Role.INDEX)
PAIRS = Operand("pairs", Constant.ALWAYS, Role.PAIRS)
PAIR_INDICES = Operand("pair_indices", Constant.ALWAYS, Role.INDEX)
CENTERS = Operand("centers", Constant.ALWAYS, Role.CENTERS)
# What follows the accumulator of every layer with weights.
OUTPUT = (
    Operand("bias", Constant.ALWAYS, Role.BIAS),
    Operand("multiplier", Constant.ALWAYS, Role.REQUANT),
    Operand("shift", Constant.ALWAYS, Role.REQUANT),
)

DENSE = (X, WEIGHTS, *OUTPUT)
CLUSTERED = (X, INDICES, CENTERS, *OUTPUT)
TEMPLATED = (X, TEMPLATES, INDICES, PAIRS, *OUTPUT)
CODED = (X, TEMPLATES, INDICES, PAIRS, PAIR_INDICES, *OUTPUT)

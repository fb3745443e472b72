"""What a tensor of an INTEGER graph may be: its sizes, and the types of each role."""

from __future__ import annotations

from .ir import Role

MAX_DIMS = 8
MAX_ACTIVATION_DIM = 65535  # generated code holds sizes in uint16_t
MAX_ELEMENTS = 2**31 - 1
FAR_ZEROS = (-(2**13), 2**13 - 1)  # zero points of an output: kernels add them in 16 bits, saturating
MAX_POINT = 63  # |binary point| of a group of centers

ROLE_DTYPES = {
    Role.ACTIVATION: ("int8", "uint8", "int16", "int32", "float32"),
    Role.WEIGHTS: ("int8", "int16", "float32"),
    Role.BIAS: ("int16", "int32", "float32"),
    Role.REQUANT: ("int8", "uint8", "int16", "int32"),
    Role.CODEBOOK: ("int8", "int16"),
    Role.INDEX: ("uint8",),
    Role.PAIRS: ("float16",),
    Role.CENTERS: ("int16",),
}

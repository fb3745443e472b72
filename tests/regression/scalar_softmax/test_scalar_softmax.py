"""Softmax of a tensor without dimensions is refused, not met with a traceback."""

import pytest

from edgekc.errors import UnsupportedError
from edgekc.graph.ir import Node, Quant, Tensor
from edgekc.graph.op import View
from edgekc.ops import LOWER


def test_it_is_refused() -> None:
    x, y = Tensor("x", (), "int8", Quant((0.1,), (0,))), Tensor("y", (), "int8", Quant((1 / 256,), (-128,)))
    view = View(Node("softmax", "y", ("x",), ("y",), {"beta": 1.0}), (x,), (y,))
    with pytest.raises(UnsupportedError, match="y: softmax of a tensor without dimensions"):
        LOWER["softmax"](view)

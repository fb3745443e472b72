"""Damaged operators of .tflite files that the fuzzer found: refused, not met with a traceback."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekc.errors import EdgekcError
from edgekc.importers import import_model
from edgekc.pipeline import to_integer

HERE = Path(__file__).parent


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("transpose_conv_of_rows", "input of shape"),
        ("sum_of_nothing", "ADD_N: a sum of nothing"),
        ("length_of_a_number", "l2_normalize of a tensor without dimensions"),
        ("fully_connected_to_a_number", "int8 to float32; supported: one type"),
        ("rsqrt_of_a_tiny_scale", "rsqrt whose outputs leave 32 bits"),
        ("hard_swish_of_infinite_ratio", "hard_swish whose input scale is 128 output scales or more"),
        ("log_softmax_of_a_number", "log_softmax of a tensor without dimensions"),
        ("div_by_a_far_zero_point", "a zero point of int8 is out of range"),
    ],
)
def test_it_is_refused(name: str, what: str) -> None:
    with pytest.raises(EdgekcError, match=what) as error:
        to_integer(import_model(HERE / f"{name}.tflite", "net"), {})
    assert "\n" not in str(error.value)


def test_a_number_is_reshaped() -> None:
    graph = to_integer(import_model(HERE / "broadcast_number.tflite", "net"), {})
    assert graph.nodes[0].op == "reshape"
